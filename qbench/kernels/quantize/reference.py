"""The law of quantizing activations: real = scale * (code - zero_point), codes in a u8 container."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import epilogue

Floats = npt.NDArray[np.float32]


def quantize_f32_u8(x: Floats, inverse_scale: float, offset: float, high: int, *, floor: bool) -> npt.NDArray[np.uint8]:
    """Return clip(round(x * inverse_scale + offset), 0, high), half to even or floor; NCHW in, NHWC out."""
    t = x.transpose(0, 2, 3, 1) * np.float32(inverse_scale) + np.float32(offset)
    codes: npt.NDArray[np.uint8] = np.clip(np.floor(t) if floor else np.rint(t), 0, high).astype(np.uint8)
    return codes


def dequantize_u8_f32(a: npt.NDArray[np.uint8], zero_point: float, scale: float) -> Floats:
    """Return (a - zero_point) * scale."""
    reals: Floats = (a.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return reals


def dynamic_codes(x: Floats, top: int, *, rows: bool) -> tuple[npt.NDArray[np.uint8], Floats, Floats]:
    """Return codes 0 .. `top` of numbers (n, ..., channels) over their own range and 0, its scale and its zero point.

    A range is a sample's or, by `rows`, that of each row of channels; scales and zero points spread over its numbers.
    The scale is 0 for a range below 2^-100, NaN where a number is not finite; codes are 0 then.
    """
    axes = -1 if rows else tuple(range(1, x.ndim))
    low = np.minimum(x.min(axis=axes, keepdims=True), np.float32(0))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = (np.maximum(x.max(axis=axes, keepdims=True), np.float32(0)) - low) / np.float32(top)
    finite = np.isfinite(scale)
    ranged = finite & (scale >= np.float32(2.0**-100))
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=ranged)
    zero = np.rint(np.where(ranged, -low, np.float32(0)) * inverse)
    codes = np.clip(np.rint(np.where(ranged, x, np.float32(0)) * inverse + zero), 0, top).astype(np.uint8)
    return codes, np.where(ranged, scale, np.where(finite, np.float32(0), np.float32(np.nan))), zero


def requantize_s32_u8(
    acc: npt.NDArray[np.int32],
    params: tuple[npt.NDArray[np.int32], Floats, Floats],
    low: float,
    high: float,
    *,
    floor: bool,
) -> npt.NDArray[np.uint8]:
    """Return the epilogue of products: `params` is (correction, scale, offset) of every channel, the last axis."""
    correction, scale, offset = params
    rounding = "floor" if floor else "nearest"
    return epilogue([(acc + correction, scale)], offset, low=low, high=high, rounding=rounding).astype(np.uint8)


def fake_quantize_f32(
    x: Floats, inverse_scale: float, offset: float, high: int, zero_point: float, scale: float, *, floor: bool
) -> Floats:
    """Return the reals that the codes of `x` stand for; `offset` is added before rounding."""
    t = x * np.float32(inverse_scale) + np.float32(offset)
    code = np.clip(np.floor(t) if floor else np.rint(t), np.float32(0), np.float32(high))
    reals: Floats = ((code - np.float32(zero_point)) * np.float32(scale)).astype(np.float32)
    return reals


def fake_quantize_levels_f32(x: Floats, midpoints: Floats, reals: Floats) -> Floats:
    """Return for each number its level: `reals[i]` where midpoints[i - 1] < x <= midpoints[i]."""
    chosen: Floats = reals[np.searchsorted(midpoints, x, side="left")]
    return chosen
