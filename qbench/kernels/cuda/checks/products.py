"""Device products against their law: every variant, epilogue and shape, on any machine, guards around the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.params import ChannelParams, folded
from qbench.kernels.conv.reference import Window, epilogue, windows
from qbench.kernels.cuda.choose.choice import Choice
from qbench.kernels.cuda.machines.machine import Machine
from qbench.kernels.cuda.operands import CODE_BITS
from qbench.kernels.cuda.operation import DeviceProduct, Task
from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_t2

GUARD = 0xAB
LEVELS = {
    "u8_s8": tuple(range(-128, 128)), "u8_t4": tuple(range(-8, 8)), "u8_t2": (-1, 0, 1), "u8_t1": (-1, 1),
    "b1_b1": (-1, 1), "t2_t2": (-1, 0, 1), "f16_s4": tuple(range(-8, 8)),
}  # fmt: skip
POINT = Window((1, 1))
HIGHEST = {"b1_b1": 1, "t2_t2": 2}


@dataclass(frozen=True, slots=True)
class Shape:
    """One size: images, height, width, channels in and out, window."""

    images: int
    height: int
    width: int
    channels: int
    out: int
    window: Window = POINT


def check(
    machine: Machine, choice: Choice, product: str, words: str, shape: Shape, *, group_size: int = 0
) -> Iterator[str]:
    """Yield '' or the mismatch for random operands and for operands all at an end of their range."""
    for values in ("random", "high", "low"):
        yield _compare(machine, choice, product, parse_epilogue(words), shape, values, group_size)


def _operands(product: str, shape: Shape, values: str, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return (lhs codes in the container, NHWC; rhs codes, OHWI)."""
    levels, high = LEVELS[product], HIGHEST.get(product, 255)
    lhs_shape = (shape.images, shape.height, shape.width, shape.channels)
    rhs_shape = (shape.out, *shape.window.kernel, shape.channels)
    if values == "random":
        lhs, rhs = rng.integers(0, high + 1, lhs_shape).astype(np.uint8), rng.choice(levels, rhs_shape)
    else:
        lhs, rhs = np.full(lhs_shape, high, np.uint8), np.full(rhs_shape, levels[-1 if values == "high" else 0])
    if product == "f16_s4":
        lhs = (rng.standard_normal(lhs_shape) if values == "random" else lhs / 255).astype(np.float16)
    return lhs, rhs.astype(np.int16)


def _params(product: str, ending: Epilogue, shape: Shape, group_size: int, rng: np.random.Generator) -> ChannelParams:
    """Return random parameters whose outputs use most of 0..255 and both clamps."""
    depth = shape.window.kernel[0] * shape.window.kernel[1] * shape.channels
    size = (-(-depth // group_size), shape.out) if group_size else (shape.out,)
    spread = np.sqrt(depth) * (1 if product in HIGHEST else 4000)
    u8, sums = ending.kind == "u8", ending.words.sum
    return ChannelParams(
        correction=(rng.integers(-1000, 1000, size) * (product != "f16_s4")).astype(np.int32),
        scale=(rng.uniform(0.5, 2.0, size) * 50 / spread).astype(np.float32),
        offset=rng.uniform(-50, 200, shape.out).astype(np.float32),
        shift=rng.uniform(-0.01, 0.01, shape.out).astype(np.float32) if sums else None,
        sum_correction=-37 if sums else 0,
        residual_scale=0.37,
        low=3.0 if u8 else -np.inf,
        high=250.0 if u8 else np.inf,
        group_size=group_size,
    )


def lhs_layout(product: str, shape: Shape) -> Layout:
    """Return the lhs's layout, bordered by the window's padding."""
    bits, channels = CODE_BITS.get(product, 8), shape.channels
    if product in HIGHEST:
        words, item = -(-channels // 32) * (2 if product == "t2_t2" else 1), 4
    else:
        words, item = 4 if channels <= 4 else padded_channels(channels), bits // 8
    return Layout(shape.images, shape.height, shape.width, channels, words, item, shape.window.pads)


def lhs_bytes(product: str, shape: Shape, codes: Any, pad: Any) -> npt.NDArray[np.uint8]:
    """Return the lhs buffer: codes, `pad` around them, 7 in channels of padding."""
    layout = lhs_layout(product, shape)
    top, left, bottom, right = shape.window.pads
    full = np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad)
    if product in HIGHEST:
        pack = pack_u8_b1 if product == "b1_b1" else pack_u8_t2
        return np.ascontiguousarray(pack(full.reshape(-1, shape.channels))).reshape(-1).view(np.uint8)
    whole = np.full(layout.shape, 7, codes.dtype)
    whole[..., : shape.channels] = full
    return whole.reshape(-1).view(np.uint8)


def _expected(
    product: str, ending: Epilogue, shape: Shape, lhs: Any, rhs: Any, pad: int, params: ChannelParams, extra: Any
) -> Any:
    kind = ending.kind
    times, minus = {"b1_b1": (2, 1), "t2_t2": (1, 1)}.get(product, (1, 0))
    exact, params = np.float64 if product == "f16_s4" else np.int64, folded(params)
    codes, border = times * lhs.astype(exact) - minus, times * pad - minus
    depth, flat = windows(codes, shape.window, border), rhs.reshape(len(rhs), -1).astype(exact)
    if product == "f16_s4":
        return _expected_float(depth, flat, params)
    size = params.group_size or flat.shape[1]
    corrections, scales = np.atleast_2d(params.correction), np.atleast_2d(params.scale)
    accs = []
    for group, start in enumerate(range(0, flat.shape[1], size)):
        part = slice(start, start + size)
        acc = (depth[..., part] @ flat[:, part].T).astype(np.int32) + corrections[group]
        accs.append((acc.astype(np.int32), scales[group]))
    if kind == "s32":
        return accs[0][0]
    sums = None
    if params.shift is not None:
        sums = ((depth.sum(axis=-1) + params.sum_correction).astype(np.int32), params.shift)
    rounding = "none" if kind == "f32" else "floor" if ending.words.floor else "nearest"
    residual = (extra, params.residual_scale) if ending.words.residual else None
    limits = {"low": params.low, "high": params.high}
    return epilogue(accs, params.offset, sums=sums, residual=residual, rounding=rounding, **limits)


def _expected_float(depth: Any, flat: Any, params: ChannelParams) -> Any:
    size = params.group_size or flat.shape[1]
    total = np.zeros((), np.float64)
    for group, start in enumerate(range(0, flat.shape[1], size)):
        part = slice(start, start + size)
        total = total + (depth[..., part] @ flat[:, part].T) * np.atleast_2d(params.scale)[group]
    return total + params.offset


def _compare(
    machine: Machine, choice: Choice, product: str, ending: Epilogue, shape: Shape, values: str, group_size: int
) -> str:
    rng = np.random.default_rng(7)
    lhs, rhs = _operands(product, shape, values, rng)
    params, pad = _params(product, ending, shape, group_size, rng), 0 if product == "f16_s4" else 1
    height, width = shape.window.out(shape.height, shape.width)
    item, dtype = ending.item_bytes, ending.dtype
    stored = padded_channels(shape.out)
    out = Layout(shape.images, height, width, shape.out, stored, item, (1, 2, 1, 1))
    side = Layout(shape.images, height, width, shape.out, stored, 1, (0, 1, 0, 0))
    extra = np.zeros(side.size_bytes, np.uint8)
    side.interior(extra)[:] = rng.integers(0, 256, (shape.images, height, width, shape.out))
    task = Task(product, ending, shape.window, lhs_layout(product, shape), out, side)
    bound = DeviceProduct(machine, task, rhs, params, choice)
    target = machine.empty(out.size_bytes, fill=GUARD)
    launches = bound.attach(machine.upload(lhs_bytes(product, shape, lhs, pad)), target, machine.upload(extra))
    for launch in launches:
        launch.run()
    whole = machine.download(target, dtype, out.size_bytes // item).reshape(out.shape)
    want = _expected(product, ending, shape, lhs, rhs, pad, params, side.interior(extra))
    got = out.interior(whole)
    same = np.allclose(got, want, rtol=1e-3, atol=1e-2) if product == "f16_s4" else np.array_equal(got, want)
    where = f"{bound.name} {ending} {shape} {values}"
    if not same:
        return f"{where}: {int(np.sum(got != want))} of {want.size} differ"
    whole[:, 1 : 1 + height, 2 : 2 + width] = np.frombuffer(bytes([GUARD] * item), dtype)[0]
    return "" if np.all(whole.view(np.uint8) == GUARD) else f"{where}: a guard byte around the output changed"
