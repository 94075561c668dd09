"""Loops that pick, join, repeat and multiply: NHWC buffers, every tensor with its own (top, left). Units are rows.

Where codes change their container on the way, `table` (256,) or `tables` (k, 256) says what each becomes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.jit import jit


@jit
def channel_tables_u8_u8(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, tables: Any) -> None:
    """Write tables[c, a] for every channel c."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = tables[c, a[n, y + ay, x + ax, c]]


@jit
def select_u8_u8(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, channels: Any, table: Any
) -> None:  # fmt: skip
    """Write table[a[..., channels[i]]] to channel i."""
    height, width = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for i in range(channels.shape[0]):
                out[n, y + oy, x + ox, i] = table[a[n, y + ay, x + ax, channels[i]]]


@jit
def concat_u8_u8(begin: int, end: int, parts: Any, out: Any, size: Any, corners: Any, widths: Any, tables: Any) -> None:
    """Write the parts' channels one after the other; `corners` is the parts' (top, left) and then the output's."""
    height, width = size
    oy, ox = corners[len(parts)]
    for row in range(begin, end):
        n, y = row // height, row % height
        first = 0
        for p in range(len(parts)):
            part = parts[p]
            ay, ax = corners[p]
            for x in range(width):
                for c in range(widths[p]):
                    out[n, y + oy, x + ox, first + c] = tables[p, part[n, y + ay, x + ax, c]]
            first += widths[p]


@jit
def resize_u8_u8(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, factors: Any, table: Any) -> None:
    """Write every pixel `factors` times down and across; `size` is the output's (height, width, channels)."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    down, across = factors
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = table[a[n, y // down + ay, x // across + ax, c]]


@jit
def mul_u8_u8_u8(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, numbers: Any, limits: Any, gate: bool,
    floor: bool,
) -> None:  # fmt: skip
    """Write the rescaled product; `gate` says that b has one number a channel.

    `numbers` is (zero point of a, of b, multiplier, offset).
    """
    height, width, channels = size
    (ay, ax), (by, bx), (oy, ox) = corners
    zero_a, zero_b, multiplier, offset = numbers
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            yb, xb = (by, bx) if gate else (y + by, x + bx)
            for c in range(channels):
                left = np.float32(a[n, y + ay, x + ax, c]) - zero_a
                t = left * (np.float32(b[n, yb, xb, c]) - zero_b) * multiplier + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))
