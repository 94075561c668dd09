"""Loops that make images larger: blocks of channels become blocks of pixels, pixels lie between their neighbours.

Buffers are NHWC, every tensor with its own (top, left). Units are rows of the output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit


@jit
def depth_to_space_u8_u8(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, block: int, table: Any
) -> None:  # fmt: skip
    """Write table[code] of channel c * block^2 + i * block + j to row i and column j of the blocks of channel c."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            first = y % block * block + x % block
            for c in range(channels):
                code = a[n, y // block + ay, x // block + ax, c * block * block + first]
                out[n, y + oy, x + ox, c] = table[code]


@jit
def depth_to_space_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, block: int) -> None:
    """Do the same with numbers as they are."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            first = y % block * block + x % block
            for c in range(channels):
                out[n, y + oy, x + ox, c] = a[n, y // block + ay, x // block + ax, c * block * block + first]


@jit
def _between(a: Any, n: int, rows: Any, columns: Any, c: int, near: Any) -> Any:
    """Return the number between four: across first, then down."""
    (above, below), (left, right), (down, across) = rows, columns, near
    one, two = float32(a[n, above, left, c]), float32(a[n, above, right, c])
    three, four = float32(a[n, below, left, c]), float32(a[n, below, right, c])
    upper = one + (two - one) * across
    lower = three + (four - three) * across
    return upper + (lower - upper) * down


@jit
def interpolate_f32_f32(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, rows: Any, columns: Any
) -> None:  # fmt: skip
    """Write numbers between four; `rows` and `columns` are (first, second, how near the second) for each of them."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        beside = rows[0][y] + ay, rows[1][y] + ay
        for x in range(width):
            ends, near = (columns[0][x] + ax, columns[1][x] + ax), (rows[2][y], columns[2][x])
            for c in range(channels):
                out[n, y + oy, x + ox, c] = _between(a, n, beside, ends, c, near)


@jit
def interpolate_u8_u8(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, rows: Any, columns: Any, numbers: Any, floor: bool
) -> None:
    """Do the same on codes, and rescale: `numbers` is (ratio, offset, high)."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    ratio, offset, high = numbers
    for row in range(begin, end):
        n, y = row // height, row % height
        beside = rows[0][y] + ay, rows[1][y] + ay
        for x in range(width):
            ends, near = (columns[0][x] + ax, columns[1][x] + ax), (rows[2][y], columns[2][x])
            for c in range(channels):
                t = _between(a, n, beside, ends, c, near) * ratio + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, float32(0)), high))
