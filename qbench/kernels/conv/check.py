"""Convolutions against their law: products, epilogues, odd shapes, worst-case values, guards around the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.check_values import levels_of, lhs_high, operands, table_of
from qbench.kernels.conv.fixed_point import fixed_point, requantize_fixed
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv
from qbench.kernels.conv.params import ChannelParams, folded
from qbench.kernels.conv.reference import Window, conv_f32, epilogue, windows
from qbench.kernels.conv.ways import bind_fastest
from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_words
from qbench.kernels.product import F32_F32, U8_S8, Product, parse_product
from qbench.kernels.program import run_task
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.variants import PORTABLE, choose, dot_of

GUARD = 0xAB
_AFTER = np.full(64, GUARD, np.uint8)
FEW_SHAPES = 2
"""Shapes of cases that do not lead, on the best variant here; on those below it there is one, on portable all.
Every tile shape is compiled, 0.2 s each: with all of them for all cases there were 1,000."""
LEADING = tuple(map(parse_epilogue, ("u8", "u8+residual", "u8+grouped", "f32")))
"""Epilogues of u8_s8 that run on all shapes."""


@dataclass(frozen=True, slots=True)
class Case:
    """A product and the epilogue that binding must find; `group_size` is 0 where scales are not grouped."""

    product: Product
    epilogue: Epilogue
    group_size: int = 0

    @property
    def operation(self) -> str:
        """The operation's name in tables."""
        return f"conv_{self.product}_{self.epilogue}" + (f"_g{self.group_size}" if self.group_size else "")

    @property
    def leads(self) -> bool:
        """Whether all shapes are compared on the best variant: every product's plainest epilogue, more of u8_s8."""
        plainest = Epilogue("f32" if self.product.is_float else "s32")
        return self.epilogue == plainest or (self.product == U8_S8 and self.epilogue in LEADING)


def case_of(product: str, epilogue: str, group_size: int = 0) -> Case:
    """Return the case of a product and an epilogue by their names."""
    return Case(parse_product(product), parse_epilogue(epilogue), group_size)


CASES = (
    *(
        case_of(p, e)
        for p in ("u8_s8", "u8_s4", "u8_s2", "u8_t4", "u8_t1", "b1_b1", "t2_t2", "p2_p2")
        for e in ("s32", "u8", "u8+residual", "f32")
    ),
    *(case_of(f"u8_s{bits}", e) for bits in (1, 3, 5, 6, 7) for e in ("s32", "u8")),
    *(case_of(f"s8_s{bits}", e) for bits in (8, 4, 2) for e in ("s32", "u8", "u8+sum")),
    *(case_of(f"p{a}_p{w}", "s32") for a, w in ((1, 2), (2, 1), (1, 5), (4, 1))),
    case_of("u8_s8", "u8+residual+floor"),
    case_of("u8_s8", "u8+sum"),
    case_of("u8_s8", "u8+residual+floor+sum"),
    case_of("u8_s8", "u8+wide"),
    case_of("u8_s4", "f32+sum"),
    *(case_of(p, "u8+fixed") for p in ("u8_s8", "s8_s8", "u8_s4", "u8_t4", "u8_t1", "b1_b1", "t2_t2")),
    *(
        case_of(p, e, 32)
        for p in ("u8_s8", "u8_s4", "u8_s2", "u8_s3", "u8_t4")
        for e in ("u8+grouped", "u8+residual+grouped", "f32+grouped")
    ),
    case_of("u8_s8", "u8+grouped+brief", 32),
    case_of("u8_s4", "f32+grouped+brief", 32),
    case_of("f32_f32", "f32"),
    case_of("f32_f32", "f32+residual"),
    case_of("f32_s8", "f32"),
    case_of("f32_s4", "f32"),
    case_of("f32_s8", "f32+grouped", 32),
    case_of("f32_s4", "f32+grouped", 32),
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
    Shape(1, 5, 9, 16, 16, Window((3, 3), (1, 1), (1, 1, 1, 1))),
    Shape(2, 8, 8, 32, 32, Window((3, 3), (2, 2), (1, 1, 1, 1))),
    Shape(1, 3, 5, 64, 33, Window((1, 1))),
    Shape(23, 1, 1, 64, 10, Window((1, 1))),
    Shape(1, 9, 6, 48, 17, Window((3, 2), (1, 2), (2, 1, 0, 3), (2, 1))),
    Shape(1, 6, 5, 20, 7, Window((5, 5), (1, 1), (4, 4, 4, 4))),
)
"""Rows (45, 32, 15, 23, 35, 90) for which tiles have few heights, shared with `gemm.check`, and end unevenly."""
EDGE_SHAPES = (Shape(1, 6, 5, 3, 16, Window((3, 3), (1, 1), (1, 1, 1, 1))), Shape(1, 4, 4, 7, 5, Window((3, 3))))
"""Channels that are no multiple of four."""


def shapes_of(case: Case, variant: str) -> tuple[Shape, ...]:
    """Return the shapes to compare: those that the case admits, fewer of them where each is compiled."""
    admitted = _admitted(case)
    if variant == PORTABLE or (variant == choose() and case.leads):
        return admitted
    return admitted[: FEW_SHAPES if variant == choose() else 1]


def _admitted(case: Case) -> tuple[Shape, ...]:
    """Return the shapes whose depth is whole sets of k-groups, where the case needs that."""
    product, sums = case.product, case.epilogue.words.sum
    needed = 2 if product.lacks_zero else multiplier_of(product).planes if sums else 1
    if case.group_size and product.is_float:
        needed = 4
    if case.group_size or needed > 1 or sums:
        return tuple(s for s in SHAPES if s.window.kernel[0] * s.window.kernel[1] * s.channels // 4 % needed == 0)
    return SHAPES + EDGE_SHAPES


def check_case(case: Case, variant: str, shapes: tuple[Shape, ...] | None = None) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    count = 0
    for shape in shapes_of(case, variant) if shapes is None else shapes:
        for values, pad in kinds_of(case, variant, shape):
            count += 1
            detail = compare(case, variant, shape, values, pad)
            if detail:
                return count, f"{shape} {values} padded with {pad}: {detail}"
    return count, ""


def kinds_of(case: Case, variant: str, shape: Shape) -> list[tuple[str, int]]:
    """Return the kinds of values: bell-shaped ones too where kernels hang on what weights are (`tiles.pairs`).

    Each with the code that padding holds; once more with 0, which kernels may leave out (`conv.ranges`).
    """
    product = case.product
    hangs = dot_of(variant) == "pairs" and (product.rhs.kind, product.rhs.bits) == ("s", 8)
    pad = 0 if product.is_float else 1
    kinds = [(values, pad) for values in ("random", "high", "low", *["bell"] * hangs)]
    return [*kinds, ("random", 0)] if pad and product.lhs.kind == "u" and any(shape.window.pads) else kinds


def _params(case: Case, shape: Shape, rng: np.random.Generator) -> ChannelParams:
    """Return random parameters whose outputs use most of 0..255 and both clamps."""
    depth = shape.window.kernel[0] * shape.window.kernel[1] * shape.channels
    groups = -(-depth // case.group_size) if case.group_size else 0
    size = (groups, shape.out) if groups else (shape.out,)
    product, words = case.product, case.epilogue.words
    spread = np.sqrt(depth) * float(np.abs(levels_of(product)).max() if product != F32_F32 else 1)
    spread *= 30 if lhs_high(product) == 255 and not product.is_float else 1
    u8 = case.epilogue.kind == "u8"
    scales = rng.uniform(0.5, 2.0, shape.out) * 50 / spread
    scale = (rng.uniform(0.5, 2.0, size) * (1e9 if case.epilogue.wide else 50) / spread).astype(np.float32)
    return ChannelParams(
        correction=rng.integers(-1000, 1000, size).astype(np.int32),
        scale=(scale.view(np.uint32) & 0xFFFF0000).view(np.float32) if case.epilogue.brief else scale,
        offset=rng.uniform(-50, 200, shape.out).astype(np.float32),
        shift=rng.uniform(-0.01, 0.01, shape.out).astype(np.float32) if words.sum else None,
        sum_correction=-37 if words.sum else 0,
        residual_scale=0.37,
        low=3.0 if u8 else -np.inf,
        high=250.0 if u8 else np.inf,
        group_size=case.group_size,
        fixed=fixed_point(scales, 100) if case.epilogue.fixed else None,
    )


def _lhs_buffer(case: Case, shape: Shape, codes: npt.NDArray[Any], pad: int) -> tuple[Layout, npt.NDArray[np.uint8]]:
    item = np.dtype(case.product.lhs_dtype).itemsize
    words = case.product.pixel_words(shape.channels)
    layout = Layout(shape.images, shape.height, shape.width, shape.channels, words, item, shape.window.pads)
    buffer = aligned(layout.size_bytes)
    if case.product.is_words:
        top, left, bottom, right = shape.window.pads
        full = np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad)
        buffer.view(np.uint32)[:] = pack_words(case.product, full.reshape(-1, shape.channels)).ravel()
        return layout, buffer
    typed = buffer.view(np.float32 if item == 4 else np.uint8)
    typed.reshape(layout.shape)[..., : shape.channels] = pad
    layout.interior(typed)[:] = codes
    return layout, buffer


def _codes(case: Case, lhs: npt.NDArray[Any], pad: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return what the kernel multiplies: the numbers that the container's codes, and the border's, stand for."""
    if case.product.is_signed:  # bytes of s8 codes, taken as 128 more than they are
        return (lhs ^ 0x80).astype(np.int64), pad ^ 0x80
    times, minus = 1 + int(case.product.is_binary), int(case.product.is_binary or case.product.is_ternary)
    return times * lhs.astype(np.int64) - minus, times * pad - minus


def _expected(
    case: Case, shape: Shape, lhs: Any, rhs: Any, pad: int, params: ChannelParams, residual: Any
) -> npt.NDArray[Any]:
    kind, words = case.epilogue.kind, case.epilogue.words
    extra = (residual, params.residual_scale) if words.residual else None
    limits: dict[str, Any] = {"low": params.low, "high": params.high}
    if case.product == F32_F32:
        ones = np.ones(shape.out, np.float32)
        return epilogue([(conv_f32(lhs, rhs, shape.window), ones)], params.offset, residual=extra, **limits)
    is_float = case.product.is_float
    codes, border = (lhs.astype(np.float64), 0) if is_float else _codes(case, lhs, pad)
    depth, flat = windows(codes, shape.window, border), rhs.reshape(len(rhs), -1).astype(codes.dtype)
    size, params = case.group_size or flat.shape[1], folded(params)
    correction, scale = np.atleast_2d(params.correction), np.atleast_2d(params.scale)
    accs: list[tuple[npt.NDArray[Any], npt.NDArray[np.float32]]] = []
    for group, start in enumerate(range(0, flat.shape[1], size)):
        acc = depth[..., start : start + size] @ flat[:, start : start + size].T
        accs.append((acc if is_float else (acc.astype(np.int32) + correction[group]), scale[group]))
    if kind == "s32":
        return accs[0][0]
    if params.fixed is not None:
        return requantize_fixed(accs[0][0], params.fixed, params.low, params.high)
    sums = None
    if params.shift is not None:
        sums = ((depth.sum(axis=-1) + params.sum_correction).astype(np.int32), params.shift)
    rounding = "none" if kind == "f32" else "floor" if words.floor else "nearest"
    return epilogue(accs, params.offset, sums=sums, residual=extra, rounding=rounding, **limits)


def compare(case: Case, variant: str, shape: Shape, values: str, pad: int, *, algorithm: Algorithm = "direct") -> str:
    """Return what differs from the law, or ''."""
    rng = np.random.default_rng(7)
    lhs_shape = (shape.images, shape.height, shape.width, shape.channels)
    lhs, rhs = operands(case.product, lhs_shape, (shape.out, *shape.window.kernel, shape.channels), values, rng)
    is_float = case.product.is_float
    params = _params(case, shape, rng)
    layout, source = _lhs_buffer(case, shape, lhs, pad)
    asked, (height, width) = case.epilogue.asked, shape.window.out(shape.height, shape.width)
    item = asked.item_bytes
    out = Layout(shape.images, height, width, shape.out, padded_channels(shape.out), item, (1, 2, 1, 1))
    target = aligned(out.size_bytes)
    target[:] = GUARD
    real = np.float32 if is_float else np.uint8
    side = Layout(
        shape.images, height, width, shape.out, padded_channels(shape.out), np.dtype(real).itemsize, (0, 1, 0, 0)
    )
    residual = aligned(side.size_bytes)
    side.interior(residual.view(real))[:] = rng.integers(0, 256, (shape.images, height, width, shape.out))
    levels = table_of(case.product)
    indices = rhs if levels is None else np.searchsorted(levels, rhs)
    depth = rhs[0].size * case.product.is_binary
    owed = replace(params, correction=params.correction + np.int32(depth))
    job = Job(case.product, asked, variant, shape.window, layout, out, side, zero_padding=pad == 0)
    bound = bind_fastest(job, Weights(indices, owed, levels), algorithm=algorithm)
    if isinstance(bound, BoundConv) != (algorithm == "direct"):
        return f"bound as {bound.name}"
    if bound.epilogue.without_weights() != case.epilogue:
        return f"bound with epilogue {bound.epilogue}"
    scratch = aligned(bound.scratch_bytes + len(_AFTER))
    scratch[bound.scratch_bytes :] = _AFTER
    task = bound.task(source, target, residual if asked.words.residual else None, scratch=scratch)
    run_task(task, images=shape.images)
    dtype = asked.dtype
    got = out.interior(target.view(dtype))
    want = _expected(case, shape, lhs, rhs, pad, params, side.interior(residual.view(real))).astype(dtype)
    exact = np.allclose(got, want, rtol=1e-4, atol=1e-3) if is_float else np.array_equal(got, want)
    if not exact:
        return f"{int(np.sum(got != want))} of {want.size} differ"
    whole = target.view(dtype).reshape(out.shape).copy()
    whole[:, 1 : 1 + height, 2 : 2 + width] = np.frombuffer(bytes([GUARD] * item), dtype)[0]
    if not np.array_equal(scratch[bound.scratch_bytes :], _AFTER):
        return "a guard byte behind the scratch changed"
    return "" if np.all(whole.view(np.uint8) == GUARD) else "a guard byte around the output changed"
