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
            pixel, to = a[n, y // block + ay, x // block + ax], out[n, y + oy, x + ox]
            first = y % block * block + x % block
            for c in range(channels):
                to[c] = table[pixel[c * block * block + first]]


@jit
def depth_to_space_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, block: int) -> None:
    """Do the same with numbers as they are."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            pixel, to = a[n, y // block + ay, x // block + ax], out[n, y + oy, x + ox]
            first = y % block * block + x % block
            for c in range(channels):
                to[c] = pixel[c * block * block + first]


@jit
def interpolate_f32_f32(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, rows: Any, columns: Any
) -> None:  # fmt: skip
    """Write numbers between four; `rows` and `columns` are (first, second, how near the second) for each of them."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    above, below, down = rows
    left, right, across = columns
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            one, two = a[n, above[y] + ay, left[x] + ax], a[n, above[y] + ay, right[x] + ax]
            three, four = a[n, below[y] + ay, left[x] + ax], a[n, below[y] + ay, right[x] + ax]
            to = out[n, y + oy, x + ox]
            for c in range(channels):
                upper = one[c] + (two[c] - one[c]) * across[x]
                lower = three[c] + (four[c] - three[c]) * across[x]
                to[c] = upper + (lower - upper) * down[y]


@jit
def interpolate_u8_u8(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, rows: Any, columns: Any, numbers: Any, floor: bool
) -> None:
    """Do the same on codes, and rescale: `numbers` is (ratio, offset, high)."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    above, below, down = rows
    left, right, across = columns
    ratio, offset, high = numbers
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            one, two = a[n, above[y] + ay, left[x] + ax], a[n, above[y] + ay, right[x] + ax]
            three, four = a[n, below[y] + ay, left[x] + ax], a[n, below[y] + ay, right[x] + ax]
            to = out[n, y + oy, x + ox]
            for c in range(channels):
                upper = float32(one[c]) + (float32(two[c]) - float32(one[c])) * across[x]
                lower = float32(three[c]) + (float32(four[c]) - float32(three[c])) * across[x]
                t = (upper + (lower - upper) * down[y]) * ratio + offset
                t = np.floor(t) if floor else np.rint(t)
                to[c] = np.uint8(min(max(t, float32(0)), high))
