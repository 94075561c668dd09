"""Convolutions against their law: products, epilogues, odd shapes, worst-case values, guards around the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.operation import ChannelParams, bind, lhs_words, pack_weights
from qbench.kernels.conv.reference import Window, conv_f32, conv_s32, finish, scaled, windows
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_t2

GUARD = 0xAB
VALUES = {
    "u8_t4": np.arange(-8, 8, dtype=np.int8),
    "u8_t2": np.array([-1, 0, 1], np.int8),
    "u8_t1": np.array([-1, 1], np.int8),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A product and an epilogue; `group_size` is 0 where scales are not grouped."""

    product: str
    epilogue: str
    group_size: int = 0

    @property
    def operation(self) -> str:
        """The operation's name in tables."""
        return f"conv_{self.product}_{self.epilogue}" + (f"_g{self.group_size}" if self.group_size else "")


CASES = (
    *(
        Case(p, e)
        for p in ("u8_s8", "u8_t4", "u8_t2", "u8_t1", "b1_b1", "t2_t2")
        for e in ("s32", "u8", "u8+residual", "f32")
    ),
    Case("u8_s8", "u8+residual+floor"),
    Case("u8_s8", "u8+sum"),
    Case("u8_s8", "u8+residual+floor+sum"),
    Case("u8_t4", "f32+sum"),
    *(
        Case(p, e, 32)
        for p in ("u8_s8", "u8_t4", "u8_t2")
        for e in ("u8+grouped", "u8+residual+grouped", "f32+grouped")
    ),
    Case("f32_f32", "f32"),
    Case("f32_f32", "f32+residual"),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """One size: images, height, width, channels in and out, window."""

    images: int
    height: int
    width: int
    channels: int
    out: int
    window: Window


SHAPES = (
    Shape(1, 5, 7, 16, 16, Window((3, 3), (1, 1), (1, 1, 1, 1))),
    Shape(2, 8, 8, 32, 32, Window((3, 3), (2, 2), (1, 1, 1, 1))),
    Shape(1, 3, 3, 64, 33, Window((1, 1))),
    Shape(3, 1, 1, 64, 10, Window((1, 1))),
    Shape(1, 9, 6, 48, 17, Window((3, 2), (1, 2), (2, 1, 0, 3), (2, 1))),
    Shape(1, 6, 5, 20, 7, Window((5, 5), (1, 1), (4, 4, 4, 4))),
)
EDGE_SHAPES = (Shape(1, 6, 5, 3, 16, Window((3, 3), (1, 1), (1, 1, 1, 1))), Shape(1, 4, 4, 7, 5, Window((3, 3))))
"""Channels that are no multiple of four."""


def shapes_of(case: Case) -> tuple[Shape, ...]:
    """Return the shapes that the case's operation admits."""
    if case.group_size or case.product == "u8_t1" or "sum" in case.epilogue:
        needed = {"u8_t1": 2, "u8_t4": 2 if "sum" in case.epilogue else 1}.get(case.product, 1)
        return tuple(s for s in SHAPES if s.window.kernel[0] * s.window.kernel[1] * s.channels // 4 % needed == 0)
    return SHAPES + EDGE_SHAPES


def check_case(case: Case, variant: str, shapes: tuple[Shape, ...] | None = None) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    count = 0
    for shape in shapes_of(case) if shapes is None else shapes:
        for values in ("random", "high", "low"):
            count += 1
            detail = _compare(case, variant, shape, values)
            if detail:
                return count, f"{shape} {values}: {detail}"
    return count, ""


def operands(
    case: Case, shape: Shape, values: str, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (lhs codes in the container, NHWC; rhs codes, OHWI), random or all at an end of their range."""
    kinds = {"b1_b1": (1, (-1, 1)), "t2_t2": (2, (-1, 0, 1)), "u8_s8": (255, tuple(range(-128, 128)))}
    high, levels = kinds.get(case.product, (255, tuple(int(v) for v in VALUES.get(case.product, ()))))
    lhs_shape = (shape.images, shape.height, shape.width, shape.channels)
    rhs_shape = (shape.out, *shape.window.kernel, shape.channels)
    if case.product == "f32_f32":
        return rng.standard_normal(lhs_shape).astype(np.float32), rng.standard_normal(rhs_shape).astype(np.float32)
    if values == "random":
        return rng.integers(0, high + 1, lhs_shape).astype(np.uint8), rng.choice(levels, rhs_shape).astype(np.int16)
    end = levels[-1] if values == "high" else levels[0]
    return np.full(lhs_shape, high, np.uint8), np.full(rhs_shape, end, np.int16)


def _params(case: Case, shape: Shape, rng: np.random.Generator) -> ChannelParams:
    """Return random parameters whose outputs use most of 0..255 and both clamps."""
    depth = shape.window.kernel[0] * shape.window.kernel[1] * shape.channels
    groups = -(-depth // case.group_size) if case.group_size else 0
    size = (groups, shape.out) if groups else (shape.out,)
    spread = np.sqrt(depth) * (1 if case.product in ("b1_b1", "t2_t2") else 4000)
    u8 = case.epilogue.startswith("u8")
    return ChannelParams(
        correction=rng.integers(-1000, 1000, size).astype(np.int32),
        scale=(rng.uniform(0.5, 2.0, size) * 50 / spread).astype(np.float32),
        offset=rng.uniform(-50, 200, shape.out).astype(np.float32),
        shift=rng.uniform(-0.01, 0.01, shape.out).astype(np.float32) if "sum" in case.epilogue else None,
        sum_correction=-37 if "sum" in case.epilogue else 0,
        residual_scale=0.37,
        low=3.0 if u8 else -np.inf,
        high=250.0 if u8 else np.inf,
        group_size=case.group_size,
    )


def _lhs_buffer(case: Case, shape: Shape, codes: npt.NDArray[Any], pad: int) -> tuple[Layout, npt.NDArray[np.uint8]]:
    item = 1 if case.product.startswith("u8") else 4
    words = lhs_words(case.product, shape.channels)
    layout = Layout(shape.images, shape.height, shape.width, shape.channels, words, item, shape.window.pads)
    buffer = aligned(layout.size_bytes)
    if case.product in ("b1_b1", "t2_t2"):
        top, left, bottom, right = shape.window.pads
        full = np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad)
        pack = pack_u8_b1 if case.product == "b1_b1" else pack_u8_t2
        buffer.view(np.uint32)[:] = pack(full.reshape(-1, shape.channels)).ravel()
        return layout, buffer
    typed = buffer.view(np.float32 if item == 4 else np.uint8)
    typed.reshape(layout.shape)[..., : shape.channels] = pad
    layout.interior(typed)[:] = codes
    return layout, buffer


def _expected(
    case: Case, shape: Shape, lhs: Any, rhs: Any, pad: int, params: ChannelParams, residual: Any
) -> npt.NDArray[Any]:
    kind = case.epilogue.split("+")[0]
    extra = (residual, params.residual_scale) if "residual" in case.epilogue else None
    limits: dict[str, Any] = {"low": params.low, "high": params.high}
    if case.product == "f32_f32":
        return finish(conv_f32(lhs, rhs, shape.window), params.offset, residual=extra, **limits)
    times, minus = {"b1_b1": (2, 1), "t2_t2": (1, 1)}.get(case.product, (1, 0))
    codes, border = times * lhs.astype(np.int64) - minus, times * pad - minus
    depth = windows(codes, shape.window, border)
    flat = rhs.reshape(len(rhs), -1)
    if case.group_size:
        t = np.zeros((), np.float32)
        for group, start in enumerate(range(0, flat.shape[1], case.group_size)):
            part = slice(start, start + case.group_size)
            acc = (depth[..., part] @ flat[:, part].T.astype(np.int64)).astype(np.int32)
            t = t + scaled(acc, params.correction[group], params.scale[group])
    else:
        acc = conv_s32(codes, rhs, shape.window, pad_code=border)
        if kind == "s32":
            return acc + params.correction
        t = scaled(acc, params.correction, params.scale)
    sums = None
    if params.shift is not None:
        sums = ((depth.sum(axis=-1) + params.sum_correction).astype(np.int32), params.shift)
    rounding = "none" if kind == "f32" else "floor" if "floor" in case.epilogue else "nearest"
    return finish(t, params.offset, sums=sums, residual=extra, rounding=rounding, **limits)


def _compare(case: Case, variant: str, shape: Shape, values: str) -> str:
    rng = np.random.default_rng(7)
    lhs, rhs = operands(case, shape, values, rng)
    params, pad = _params(case, shape, rng), 0 if case.product == "f32_f32" else 1
    layout, source = _lhs_buffer(case, shape, lhs, pad)
    kind = case.epilogue.split("+")[0]
    height, width = shape.window.out(shape.height, shape.width)
    item = 1 if kind == "u8" else 4
    out = Layout(shape.images, height, width, shape.out, padded_channels(shape.out), item, (1, 2, 1, 1))
    target = aligned(out.size_bytes)
    target[:] = GUARD
    real = np.float32 if case.product == "f32_f32" else np.uint8
    side = Layout(
        shape.images, height, width, shape.out, padded_channels(shape.out), np.dtype(real).itemsize, (0, 1, 0, 0)
    )
    residual = aligned(side.size_bytes)
    side.interior(residual.view(real))[:] = rng.integers(0, 256, (shape.images, height, width, shape.out))
    levels = VALUES.get(case.product)
    indices = rhs if levels is None else np.searchsorted(levels, rhs)
    weights = pack_weights(
        indices, case.product, variant, values=levels, group_size=case.group_size, sums="sum" in case.epilogue
    )
    folded = params
    if case.product == "b1_b1":
        depth = shape.window.kernel[0] * shape.window.kernel[1] * shape.channels
        folded = replace(params, correction=params.correction + np.int32(depth))
    bound = bind(case.product, case.epilogue, variant, shape.window, layout, out, weights, folded, residual=side)
    extra = residual if "residual" in case.epilogue else None
    head = bound.arguments(source, target, extra, kind, case.product)
    bound.kernel(*head, 0, shape.images * height * width)
    dtype = {"u8": np.uint8, "f32": np.float32, "s32": np.int32}[kind]
    got = out.interior(target.view(dtype))
    want = _expected(case, shape, lhs, rhs, pad, params, side.interior(residual.view(real))).astype(dtype)
    exact = np.allclose(got, want, rtol=1e-4, atol=1e-3) if case.product == "f32_f32" else np.array_equal(got, want)
    if not exact:
        return f"{int(np.sum(got != want))} of {want.size} differ"
    whole = target.view(dtype).reshape(out.shape).copy()
    out_full = whole[:, 1 : 1 + height, 2 : 2 + width]
    out_full[:] = np.frombuffer(bytes([GUARD] * item), dtype)[0]
    return "" if np.all(whole.view(np.uint8) == GUARD) else "a guard byte around the output changed"
