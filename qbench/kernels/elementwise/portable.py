"""Loops over the interiors of NHWC buffers; every tensor has its own (top, left). Units are rows of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.blocks import BLOCK, fence, flat
from qbench.kernels.elementwise.blocks import PERMUTES, add_block, move_pixels
from qbench.kernels.jit import jit

INT32_END = np.float32(2.0**31)


@jit
def _add(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, scales: Any, limits: Any, floor: bool,
    streaming: bool,
) -> None:  # fmt: skip
    height, width, channels = size
    (ay, ax), (by, bx), (oy, ox) = corners
    scale_a, scale_b, offset = scales
    low, high = limits
    bounded = 255 * (abs(scale_a) + abs(scale_b)) + abs(offset) < INT32_END
    lefts: Any = flat(a)  # type: ignore[call-arg]
    rights: Any = flat(b)
    sums: Any = flat(out)
    dense = a.shape[3] == channels and b.shape[3] == channels and out.shape[3] == channels
    pixels, length = (1, width * channels) if dense else (width, channels)
    whole = length // BLOCK * BLOCK
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(pixels):
            i = ((n * a.shape[1] + y + ay) * a.shape[2] + x + ax) * a.shape[3]
            j = ((n * b.shape[1] + y + by) * b.shape[2] + x + bx) * b.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out.shape[3]
            for c in range(0, whole, BLOCK):
                if floor:
                    add_block(a, i + c, b, j + c, out, to + c, scales, limits, 1, 0, 0)
                elif not bounded:
                    add_block(a, i + c, b, j + c, out, to + c, scales, limits, 0, 0, 0)
                elif streaming:
                    add_block(a, i + c, b, j + c, out, to + c, scales, limits, 0, 1, 1)
                else:
                    add_block(a, i + c, b, j + c, out, to + c, scales, limits, 0, 1, 0)
            for c in range(whole, length):
                left = np.float32(lefts[i + c]) * scale_a
                t = left + np.float32(rights[j + c]) * scale_b + offset
                t = np.floor(t) if floor else np.rint(t)
                sums[to + c] = np.uint8(min(max(t, low), high))
    if streaming:
        fence()


@jit
def add_u8_u8_u8(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, scales: Any, limits: Any, floor: bool
) -> None:
    """Write the rescaled sum; `size` is (height, width, channels), `corners` the (top, left) of a, b and out."""
    _add(begin, end, a, b, out, size, corners, scales, limits, floor, False)


@jit
def add_u8_u8_u8_streaming(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, scales: Any, limits: Any, floor: bool
) -> None:
    """Do the same past the caches: whole blocks of `out` lie at addresses that are multiples of 64."""
    _add(begin, end, a, b, out, size, corners, scales, limits, floor, True)


@jit
def looked_up(a: Any, at: int, out: Any, to: int, length: int, table: Any, first: int, streaming: bool) -> None:
    """Write table[first + code] of `length` codes; all three arrays have one axis."""
    lines = length // BLOCK if PERMUTES else 0
    if lines and streaming:
        move_pixels(a, at, out, to, (0, 0), (1, lines), table, first, 1, 1)  # type: ignore[call-arg]
    elif lines:
        move_pixels(a, at, out, to, (0, 0), (1, lines), table, first, 1, 0)  # type: ignore[call-arg]
    for c in range(lines * BLOCK, length):
        out[to + c] = table[first + a[at + c]]


@jit
def _table(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, table: Any, streaming: bool) -> None:
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    codes: Any = flat(a)  # type: ignore[call-arg]
    values: Any = flat(out)
    dense = a.shape[3] == channels and out.shape[3] == channels
    pixels, length = (1, width * channels) if dense else (width, channels)
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(pixels):
            at = ((n * a.shape[1] + y + ay) * a.shape[2] + x + ax) * a.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out.shape[3]
            looked_up(codes, at, values, to, length, table, 0, streaming)
    if streaming:
        fence()


@jit
def table_u8_u8(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, table: Any) -> None:
    """Write table[a]."""
    _table(begin, end, a, out, size, corners, table, False)


@jit
def table_u8_u8_streaming(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, table: Any) -> None:
    """Do the same past the caches: whole blocks of `out` lie at addresses that are multiples of 64."""
    _table(begin, end, a, out, size, corners, table, True)


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
