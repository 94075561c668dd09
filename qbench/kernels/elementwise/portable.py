"""Loops over the interiors of NHWC buffers; every tensor has its own (top, left). Units are rows of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.jit import jit


@jit
def add_u8_u8_u8(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, scales: Any, limits: Any, floor: bool
) -> None:
    """Write the rescaled sum; `size` is (height, width, channels), `corners` the (top, left) of a, b and out."""
    height, width, channels = size
    (ay, ax), (by, bx), (oy, ox) = corners
    scale_a, scale_b, offset = scales
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                left = np.float32(a[n, y + ay, x + ax, c]) * scale_a
                t = left + np.float32(b[n, y + by, x + bx, c]) * scale_b + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))


@jit
def table_u8_u8(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, table: Any) -> None:
    """Write table[a]."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = table[a[n, y + ay, x + ax, c]]


@jit
def add_f32_f32_f32(begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, limits: Any) -> None:
    """Write the clamped sum."""
    height, width, channels = size
    (ay, ax), (by, bx), (oy, ox) = corners
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                t = a[n, y + ay, x + ax, c] + b[n, y + by, x + bx, c]
                out[n, y + oy, x + ox, c] = min(max(t, low), high)


@jit
def clamp_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, limits: Any) -> None:
    """Write the clamped tensor."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = min(max(a[n, y + ay, x + ax, c], low), high)


@jit
def flatten(begin: int, end: int, a: Any, out: Any, size: Any, corner: Any) -> None:
    """Write (n, h, w, c) as (n, c * h * w), the channel slowest as ONNX has it."""
    height, width, channels = size
    top, left = corner
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, 0, 0, (c * height + y) * width + x] = a[n, y + top, x + left, c]


@jit
def copy_rows_f32(begin: int, end: int, a: Any, out: Any, width: int) -> None:
    """Write the first `width` numbers of every row; units are rows."""
    for row in range(begin, end):
        for i in range(width):
            out[row, i] = a[row, i]
