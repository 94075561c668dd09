"""Dynamic quantization: codes whose scale and zero point come from the extremes of what is there, as the network runs.

A range holds 0. Codes are clip(rint(x / s + z), 0, top), s = (high - low) / top, z = rint(-low / s).
`reference.dynamic_codes` is the law.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit
from qbench.kernels.quantize.planes import quantize_reals_f32_u8

SMALLEST = float32(2.0**-100)
"""A range below it is nothing but 0: its reciprocal would leave float32."""
CENTER = float32(128)
"""Products count codes from here, whatever their zero point: sum (q - z) w = sum (q - 128) w - (z - 128) sum w."""


@jit
def _ordered(bits: Any) -> Any:
    """Return the bits of a float32 as a whole number in the same order, or those of such a number as a float32's."""
    return bits ^ ((bits >> 31) & int32(0x7FFFFFFF))


@jit
def _params(bits: Any, n: int, rows: Any, columns: Any, channels: int, top: Any) -> Any:
    """Return (scale, zero point) of a part of an image, given its numbers' bits; a scale of NaN if not all are finite.

    Whole numbers are compared, since loops over them become vectors.
    """
    low, high = int32(0), int32(0)
    for y in range(rows[0], rows[1]):
        for i in range(columns[0], columns[1]):
            for c in range(channels):
                key = _ordered(bits[n, y, i, c])
                low, high = min(low, key), max(high, key)
    least, most = np.int32(_ordered(low)).view(np.float32), np.int32(_ordered(high)).view(np.float32)
    scale = (most - least) / top
    if scale < SMALLEST:
        return float32(0), float32(0)
    if not scale < float32(np.inf):
        return float32(np.nan), float32(0)
    return scale, np.rint(-least * (float32(1) / scale))


@jit
def _replace(x: Any, n: int, rows: Any, columns: Any, channels: int, numbers: Any, top: Any) -> None:
    """Replace the numbers of a part by what their codes stand for."""
    scale, zero = numbers
    inverse = float32(0) if scale == 0 else float32(1) / scale
    for y in range(rows[0], rows[1]):
        for i in range(columns[0], columns[1]):
            for c in range(channels):
                t = np.rint(x[n, y, i, c] * inverse + zero)
                x[n, y, i, c] = (min(max(t, float32(0)), top) - zero) * scale


@jit
def fake_dynamic_f32(begin: int, end: int, x: Any, bits: Any, place: Any, top: Any) -> None:
    """Replace the interior of images begin..end of `x` (n, h, w, words), each by its own range.

    `bits` are those of `x` as int32, `place` is (top, left, height, width, channels), `top` the highest code.
    """
    up, left, height, width, channels = place
    rows, columns = (up, up + height), (left, left + width)
    for n in range(begin, end):
        _replace(x, n, rows, columns, channels, _params(bits, n, rows, columns, channels, top), top)


@jit
def fake_dynamic_rows_f32(begin: int, end: int, x: Any, bits: Any, place: Any, top: Any) -> None:
    """Do the same for rows begin..end of pixels, each pixel (a token, in a text) by its own range."""
    up, left, height, width, channels = place
    for row in range(begin, end):
        n, y = row // height, row % height + up
        for i in range(left, left + width):
            rows, columns = (y, y + 1), (i, i + 1)
            _replace(x, n, rows, columns, channels, _params(bits, n, rows, columns, channels, top), top)


@jit
def dynamic_f32_u8(
    begin: int, end: int, x: Any, bits: Any, out: Any, numbers: Any, size: Any, corners: Any, top: Any
) -> None:
    """Write the codes of images begin..end, each by its own range, and that range's scale and zero point.

    Args:
        begin: first image.
        end: image after the last.
        x: float32 (n, h, w, words), with its border.
        bits: the same as int32.
        out: u8 (n, h, w, words); its border becomes the code of 0.
        numbers: float32 (n, 1, 1, 2), written: scale and zero point.
        size: (height, width, channels).
        corners: (top, left) of what is read and of what is written.
        top: the highest code.
    """
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for n in range(begin, end):
        scale, zero = _params(bits, n, (ay, ay + height), (ax, ax + width), channels, top)
        numbers[n, 0, 0, 0], numbers[n, 0, 0, 1] = scale, zero
        code = np.uint8(zero)
        out[n, :oy], out[n, oy + height :] = code, code
        out[n, oy : oy + height, :ox], out[n, oy : oy + height, ox + width :] = code, code
        if scale > 0:
            params = (float32(1) / scale, zero, top)
            quantize_reals_f32_u8(n * height, (n + 1) * height, x, out, size, corners, params, False)
        else:
            out[n, oy : oy + height, ox : ox + width, :channels] = np.uint8(0)


@jit
def dynamic_rows_f32_u8(
    begin: int, end: int, x: Any, bits: Any, out: Any, numbers: Any, size: Any, corners: Any, top: Any
) -> None:
    """Do the same for rows begin..end of pixels, each pixel by its own range; `numbers` is (n, h, w, 2), no border."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(width):
            scale, zero = _params(bits, n, (ay + y, ay + y + 1), (ax + i, ax + i + 1), channels, top)
            numbers[n, y, i, 0], numbers[n, y, i, 1] = scale, zero
            if scale > 0:
                pixel, places = (height, 1, channels), ((ay, ax + i), (oy, ox + i))
                quantize_reals_f32_u8(row, row + 1, x, out, pixel, places, (float32(1) / scale, zero, top), False)
            else:
                out[n, oy + y, ox + i, :channels] = np.uint8(0)


@jit
def counted_f32(begin: int, end: int, codes: Any, numbers: Any, out: Any, size: Any, corners: Any) -> None:
    """Write what dynamic codes of rows begin..end of images stand for: scale * (code - zero).

    `codes` and `numbers` are as the loops above write them, `corners` the (top, left) of codes and of float32 `out`.
    """
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    tall, wide = numbers.shape[1] > 1, numbers.shape[2] > 1
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(width):
            own = numbers[n, y if tall else 0, i if wide else 0]
            scale, zero = own[0], own[1]
            line, target = codes[n, ay + y, ax + i], out[n, oy + y, ox + i]
            for c in range(channels):
                target[c] = (float32(line[c]) - zero) * scale


@jit
def scale_sums_f32(
    begin: int, end: int, sums: Any, numbers: Any, out: Any, size: Any, corner: Any, totals: Any, bias: Any, limits: Any
) -> None:
    """Write clip(scale * (sums - (zero - 128) * totals) + bias) of rows begin..end of images.

    Args:
        begin: first row of an image.
        end: row after the last.
        sums: float32 (n, h, w, words): products of codes counted from 128, times the weights' scales.
        numbers: float32 (n, h, w, 2), or (n, 1, 1, 2) for whole images: scale and zero point of the codes.
        out: float32 (n, h, w, words), with its border.
        size: (height, width, channels).
        corner: (top, left) of `out`.
        totals: float32 (channels,): what a channel's weights add up to.
        bias: float32 (channels,).
        limits: lowest and highest result.
    """
    height, width, channels = size
    low, high = limits
    tall, wide = numbers.shape[1] > 1, numbers.shape[2] > 1
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(width):
            own = numbers[n, y if tall else 0, i if wide else 0]
            scale, shift = own[0], own[1] - CENTER
            line, target = sums[n, y, i], out[n, corner[0] + y, corner[1] + i]
            for c in range(channels):
                t = scale * (line[c] - shift * totals[c]) + bias[c]
                target[c] = min(max(t, low), high)
