"""Quantizers against their law, ties and out-of-range numbers included."""

from __future__ import annotations

import numpy as np

from qbench.kernels.quantize import portable, reference
from qbench.kernels.quantize.levels import level_starts
from qbench.kernels.quantize.reference import Floats

SHAPES = ((1, 3, 32, 32), (2, 1, 5, 7), (3, 16, 1, 1), (2, 33, 5, 7), (1, 16, 4, 4), (1, 70, 3, 5), (2, 9, 6, 3))
"""Images in ONNX's order: with few channels, few pixels, whole blocks of both, and odd ends of either."""


def _numbers(*values: float) -> tuple[np.float32, ...]:
    return tuple(np.float32(value) for value in values)


def _values(shape: tuple[int, ...]) -> Floats:
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32) * np.float32(3)
    x.reshape(-1)[: x.size // 4] = np.round(x.reshape(-1)[: x.size // 4] * 8) / 8
    x.reshape(-1)[:2] = (1e30, -1e30)[: x.size]
    return x


def check_quantize(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of quantize_f32_u8."""
    count = 0
    for shape in SHAPES:
        for floor in (False, True):
            count += 1
            x = _values(shape)
            n, c, h, w = shape
            out = np.full((n, h + 2, w + 2, c), 7, np.uint8)
            for begin, end in ((0, n * h // 3), (n * h // 3, n * h)):  # two parts of the work
                portable.quantize_f32_u8(begin, end, x, out, (c, h, w), (1, 1), _numbers(4.0, 11, 15), floor)
            want = np.full_like(out, 7)
            want[:, 1:-1, 1:-1] = reference.quantize_f32_u8(x, 4.0, 11, 15, floor=floor)
            if not np.array_equal(out, want):
                return count, f"{shape} floor={floor}"
    return count, ""


def check_copy(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of copy_f32_f32, from ONNX's order to NHWC."""
    for count, (n, c, h, w) in enumerate(SHAPES, 1):
        x = _values((n, c, h, w))
        out = np.full((n, h + 2, w + 1, c + 2 * (c != 3)), 7, np.float32)
        for begin, end in ((0, n * h // 2), (n * h // 2, n * h)):
            portable.copy_f32_f32(begin, end, x, out, (c, h, w), (1, 0))
        want = np.full_like(out, 7)
        want[:, 1:-1, :-1, :c] = x.transpose(0, 2, 3, 1)
        if not np.array_equal(out, want):
            return count, f"{(n, c, h, w)}"
    return len(SHAPES), ""


def check_fake(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of fake_quantize_f32."""
    count = 0
    for n, c, h, w in SHAPES:
        for floor in (False, True):
            count += 1
            x = _values((n, h, w, c))
            want = reference.fake_quantize_f32(x, 4.0, 11.5, 15, 11, 0.25, floor=floor)
            portable.fake_quantize_f32(0, n * h, x, (0, 0, h, w, c), _numbers(4.0, 11.5, 15, 11, 0.25), floor)
            if not np.array_equal(x, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""


def check_levels(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of fake_quantize_levels_f32."""
    reals = np.sort(np.random.default_rng(2).standard_normal(16).astype(np.float32))
    midpoints = ((reals[1:] + reals[:-1]) / 2).astype(np.float32)
    for count, (n, c, h, w) in enumerate(SHAPES, 1):
        x = _values((n, h, w, c))
        x.reshape(-1)[-1] = midpoints[0]
        want = reference.fake_quantize_levels_f32(x, midpoints, reals)
        starts, place = level_starts(midpoints), (0, 0, h, w, c)
        portable.fake_quantize_levels_f32(0, n * h, x, x.view(np.uint32), place, midpoints, reals, starts)
        if not np.array_equal(x, want):
            return count, f"{(n, h, w, c)}"
    return len(SHAPES), ""
