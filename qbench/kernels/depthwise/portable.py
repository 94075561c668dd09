"""Depthwise convolution as plain loops over NHWC buffers; units are output rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit
from qbench.kernels.tiles.portable import fixed_point, fma


@jit
def depthwise_u8_s8_u8(
    begin: int, end: int, a: Any, rhs: Any, out: Any, size: Any, corners: Any, window: Any, params: Any, limits: Any,
    floor: bool,
) -> None:  # fmt: skip
    """Write the requantized sums.

    Args:
        begin: first row.
        end: row after the last.
        a: u8 (images, height, width, words), with its border.
        rhs: s8 (kh, kw, channels).
        out: u8 (images, height, width, words), with its border.
        size: output (height, width, channels).
        corners: (top, left) of the first window in `a` and of the first pixel in `out`.
        window: (strides, dilations).
        params: correction int32, scale and offset float32, a number per channel.
        limits: (low, high).
        floor: whether to round down instead of half to even.
    """
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    (sy, sx), (dy, dx) = window
    correction, scale, offset = params
    low, high = limits
    kh, kw = rhs.shape[0], rhs.shape[1]
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                acc = int32(correction[c])
                for i in range(kh):
                    for j in range(kw):
                        code = int32(a[n, ay + y * sy + i * dy, ax + x * sx + j * dx, c])
                        acc = int32(acc + code * int32(rhs[i, j, c]))
                t: Any = fma(float32(acc), scale[c], offset[c])  # type: ignore[call-arg]
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))


@jit
def depthwise_f32_f32(
    begin: int, end: int, a: Any, rhs: Any, offset: Any, out: Any, size: Any, corners: Any, window: Any, limits: Any
) -> None:
    """Write the clamped float32 sums; as `depthwise_u8_s8_u8`, with float32 buffers and one offset a channel."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    (sy, sx), (dy, dx) = window
    low, high = limits
    kh, kw = rhs.shape[0], rhs.shape[1]
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = offset[c]
            for i in range(kh):
                for j in range(kw):
                    for c in range(channels):
                        product = a[n, ay + y * sy + i * dy, ax + x * sx + j * dx, c] * rhs[i, j, c]
                        out[n, y + oy, x + ox, c] += product
            for c in range(channels):
                out[n, y + oy, x + ox, c] = min(max(out[n, y + oy, x + ox, c], low), high)


@jit
def depthwise_fixed(
    begin: int, end: int, a: Any, rhs: Any, out: Any, size: Any, corners: Any, window: Any, params: Any, limits: Any,
    zero_point: int,
) -> None:  # fmt: skip
    """Write the sums requantized in whole numbers; `params` are correction, multiplier and exponent, `limits` codes."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    (sy, sx), (dy, dx) = window
    correction, multiplier, exponent = params
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                acc = int32(correction[c])
                for i in range(rhs.shape[0]):
                    for j in range(rhs.shape[1]):
                        code = int32(a[n, ay + y * sy + i * dy, ax + x * sx + j * dx, c])
                        acc = int32(acc + code * int32(rhs[i, j, c]))
                t = fixed_point(acc, multiplier[c], exponent[c]) + zero_point
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))
