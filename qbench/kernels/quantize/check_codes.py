"""Dequantizing, requantizing and reordering against their law; borders differ, and guards stay untouched."""

from __future__ import annotations

from functools import partial

import numpy as np

from qbench.kernels.quantize import reference
from qbench.kernels.quantize.dequantize import dequantize_u8_f32
from qbench.kernels.quantize.dynamic import (
    dynamic_f32_u8,
    dynamic_rows_f32_u8,
    fake_dynamic_f32,
    fake_dynamic_rows_f32,
    scale_sums_f32,
)
from qbench.kernels.quantize.planes import planes_f32_f32, planes_u8_f32, quantize_reals_f32_u8
from qbench.kernels.quantize.requantize import requantize_s32_u8

SIZES = ((1, 5, 7, 16), (2, 1, 1, 3), (1, 8, 8, 33), (2, 3, 5, 64), (1, 2, 3, 129), (2, 9, 3, 6), (1, 4, 4, 127))
GUARD = 77
CORNERS = ((1, 1), (0, 2))


def check_dequantize(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of dequantize_u8_f32."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for border in (0, 1):
            count += 1
            a = rng.integers(0, 256, (n, h + border, w + 2 * border, c)).astype(np.uint8)
            out = np.full((n, h + border, w + 3 * border, c + border), GUARD, np.float32)
            corners = CORNERS if border else ((0, 0), (0, 0))
            dequantize_u8_f32(0, n * h, a, out, (h, w, c), corners, (np.float32(11.5), np.float32(0.31)))
            (ay, ax), (oy, ox) = corners
            want = np.full_like(out, GUARD)
            inner = a[:, ay : ay + h, ax : ax + w]
            want[:, oy : oy + h, ox : ox + w, :c] = reference.dequantize_u8_f32(inner, 11.5, 0.31)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} border={border}"
    return count, ""


def check_requantize(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of requantize_s32_u8, the least and greatest sums included."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            acc = rng.integers(-(1 << 20), 1 << 20, (n, h + 1, w + 2, c)).astype(np.int32)
            acc.reshape(-1)[:: max(1, acc.size // 5)] = (1 << 31) - 1001
            acc.reshape(-1)[1 :: max(1, acc.size // 7)] = -(1 << 31) + 1001
            params = (
                rng.integers(-1000, 1000, c).astype(np.int32),
                rng.uniform(1e-5, 3e-4, c).astype(np.float32),
                rng.uniform(-50, 200, c).astype(np.float32),
            )
            out = np.full((n, h + 1, w + 3, c + 2), GUARD, np.uint8)
            limits = (np.float32(3), np.float32(250))
            requantize_s32_u8(0, n * h, acc, out, (h, w, c), CORNERS, params, limits, floor)
            (ay, ax), (oy, ox) = CORNERS
            want = np.full_like(out, GUARD)
            inner = acc[:, ay : ay + h, ax : ax + w]
            want[:, oy : oy + h, ox : ox + w, :c] = reference.requantize_s32_u8(inner, params, 3, 250, floor=floor)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""


def check_quantize_reals(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of quantize_reals_f32_u8, ties and numbers out of range included."""
    rng, count = np.random.default_rng(0), 0
    numbers = np.float32(4), np.float32(11.5), np.float32(15)
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            x = rng.standard_normal((n, h + 1, w + 2, c)).astype(np.float32) * np.float32(3)
            x.reshape(-1)[::3] = np.round(x.reshape(-1)[::3] * 8) / 8
            x.reshape(-1)[:2] = 1e30, -1e30
            out = np.full((n, h + 1, w + 3, c + 2), GUARD, np.uint8)
            quantize_reals_f32_u8(0, n * h, x, out, (h, w, c), CORNERS, numbers, floor)
            (ay, ax), (oy, ox) = CORNERS
            want = np.full_like(out, GUARD)
            inner = x[:, ay : ay + h, ax : ax + w].transpose(0, 3, 1, 2)
            want[:, oy : oy + h, ox : ox + w, :c] = reference.quantize_f32_u8(inner, 4.0, 11.5, 15, floor=floor)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""


def check_planes(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of planes_u8_f32 and planes_f32_f32."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        count += 2
        codes = rng.integers(0, 256, (n, h + 1, w + 2, c + 3)).astype(np.uint8)
        inner = codes[:, 1 : 1 + h, 1 : 1 + w, :c].transpose(0, 3, 1, 2)
        out = np.full((n, c, h, w), GUARD, np.float32)
        parts = (0, n * h // 3), (n * h // 3, n * h)
        for begin, end in parts:
            planes_u8_f32(begin, end, codes, out, (h, w, c), (1, 1), (np.float32(11.5), np.float32(0.31)))
        if not np.array_equal(out, reference.dequantize_u8_f32(inner, 11.5, 0.31)):
            return count, f"codes of {(n, h, w, c)}"
        reals = rng.standard_normal(codes.shape).astype(np.float32)
        for begin, end in parts:
            planes_f32_f32(begin, end, reals, out, (h, w, c), (1, 1))
        if not np.array_equal(out, reals[:, 1 : 1 + h, 1 : 1 + w, :c].transpose(0, 3, 1, 2)):
            return count, f"reals of {(n, h, w, c)}"
    return count, ""


def check_dynamic(variant: str = "portable", *, by_rows: bool) -> tuple[int, str]:
    """Return comparisons and the first mismatch of dynamic codes, and of the reals that they stand for.

    Images of zeros, of one sign, of NaN, and of what is or makes infinities are among them.
    """
    rng, count = np.random.default_rng(0), 0
    run, fake = (dynamic_rows_f32_u8, fake_dynamic_rows_f32) if by_rows else (dynamic_f32_u8, fake_dynamic_f32)
    (ay, ax), (oy, ox) = corners = CORNERS[::-1]
    for n, h, w, c in SIZES:
        for top in (255, 15):
            count += 1
            x = rng.standard_normal((n + 4, h + 1, w + 2, c)).astype(np.float32) * np.float32(3)
            x[n:] = np.zeros_like(x[0]), np.abs(x[0]), np.full_like(x[0], np.nan), x[0]
            x[-1, ::2, :, 0], x[-1, 1::2, :, :2] = -np.inf, (3e38, -3e38)
            inner = slice(None), slice(ay, ay + h), slice(ax, ax + w)
            codes, scale, zero = reference.dynamic_codes(x[inner], top, rows=by_rows)
            want, reals = np.full((len(x), h + oy, w + 2 * ox, c), GUARD, np.uint8), x.copy()
            out, numbers = want.copy(), np.zeros((*scale.shape[:3], 2), np.float32)
            if not by_rows:
                want[:] = zero.astype(np.uint8)
            want[:, oy : oy + h, ox : ox + w], reals[inner] = codes, (codes - zero) * scale
            with np.errstate(over="ignore", invalid="ignore"):
                images = (0, len(x) * (h if by_rows else 1), x, x.view(np.int32))
                run(*images, out, numbers, (h, w, c), corners, np.float32(top))
                fake(*images, (ay, ax, h, w, c), np.float32(top))
            found, law = (out, numbers, x), (want, np.concatenate([scale, zero], axis=-1), reals)
            if not all(map(partial(np.array_equal, equal_nan=True), found, law)):
                return count, f"{(n, h, w, c)} top={top}"
    return count, ""


def check_scaled(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of scale_sums_f32, whole images and rows of channels."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for grid in ((1, 1), (h, w)):
            count += 1
            sums = rng.standard_normal((n, h, w, c + 1)).astype(np.float32) * np.float32(1000)
            numbers = np.stack([rng.uniform(0, 2, (n, *grid)), rng.integers(0, 256, (n, *grid))], -1).astype(np.float32)
            totals, bias = rng.standard_normal((2, c)).astype(np.float32)
            out = np.full((n, h + 1, w + 3, c + 2), GUARD, np.float32)
            limits = np.float32(-500), np.float32(np.inf)
            scale_sums_f32(0, n * h, sums, numbers, out, (h, w, c), (1, 2), totals, bias, limits)
            scale, shift = numbers[..., :1], numbers[..., 1:] - np.float32(128)
            want = np.full_like(out, GUARD)
            want[:, 1:, 2 : 2 + w, :c] = np.maximum(scale * (sums[..., :c] - shift * totals) + bias, limits[0])
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} scales={grid}"
    return count, ""
