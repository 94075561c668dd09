"""Loops that pick, join, repeat and multiply: NHWC buffers, every tensor with its own (top, left). Units are rows.

Where codes change their container on the way, `table` (256,) or `tables` (k, 256) says what each becomes; where zeros
are put in, `table` has one entry more, their code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.blocks import BLOCK, fence, flat
from qbench.kernels.elementwise.blocks import PERMUTES, move_pixels
from qbench.kernels.jit import jit

TABLE = 256


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
    """Write table[a[..., channels[i]]] to channel i, and table[256] where channels[i] is -1."""
    height, width = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for i in range(channels.shape[0]):
                c = channels[i]
                out[n, y + oy, x + ox, i] = table[a[n, y + ay, x + ax, c]] if c >= 0 else table[TABLE]


@jit
def _is_identity(table: Any) -> bool:
    for code in range(256):  # noqa: SIM110 - compiled code has no generators
        if table[code] != code:
            return False
    return True


@jit
def _moved(
    a: Any, at: int, out: Any, to: int, strides: Any, size: Any, table: Any, first: int, copies: bool, streaming: bool
) -> None:
    """Move whole blocks; without `PERMUTES` only copies come here."""
    if copies and streaming:
        move_pixels(a, at, out, to, strides, size, table, first, 0, 1)  # type: ignore[call-arg]
    elif copies:
        move_pixels(a, at, out, to, strides, size, table, first, 0, 0)  # type: ignore[call-arg]
    elif PERMUTES:
        if streaming:
            move_pixels(a, at, out, to, strides, size, table, first, 1, 1)  # type: ignore[call-arg]
        else:
            move_pixels(a, at, out, to, strides, size, table, first, 1, 0)  # type: ignore[call-arg]


@jit
def _concat(
    begin: int, end: int, parts: Any, out: Any, size: Any, corners: Any, widths: Any, tables: Any, streaming: bool
) -> None:
    height, width = size
    oy, ox = corners[len(parts)]
    joined: Any = flat(out)  # type: ignore[call-arg]
    entries: Any = flat(tables)
    plain = 0
    for p in range(len(parts)):
        plain |= int(_is_identity(tables[p])) << p
    for row in range(begin, end):
        n, y = row // height, row % height
        first = 0
        for p in range(len(parts)):
            part, taken = parts[p], widths[p]
            ay, ax = corners[p]
            codes: Any = flat(part)
            at = ((n * part.shape[1] + y + ay) * part.shape[2] + ax) * part.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + ox) * out.shape[3] + first
            strides, lines, copies = (part.shape[3], out.shape[3]), taken // BLOCK, plain >> p & 1 == 1
            if lines and (copies or PERMUTES):
                _moved(codes, at, joined, to, strides, (width, lines), entries, TABLE * p, copies, streaming)
            else:
                lines = 0
            for x in range(width):
                for c in range(lines * BLOCK, taken):
                    joined[to + x * strides[1] + c] = entries[TABLE * p + codes[at + x * strides[0] + c]]
            first += taken
    if streaming:
        fence()


@jit
def concat_u8_u8(begin: int, end: int, parts: Any, out: Any, size: Any, corners: Any, widths: Any, tables: Any) -> None:
    """Write the parts' channels one after the other; `corners` is the parts' (top, left) and then the output's."""
    _concat(begin, end, parts, out, size, corners, widths, tables, False)


@jit
def concat_u8_u8_streaming(
    begin: int, end: int, parts: Any, out: Any, size: Any, corners: Any, widths: Any, tables: Any
) -> None:
    """Do the same past the caches: widths, and addresses of `out`, are multiples of 64."""
    _concat(begin, end, parts, out, size, corners, widths, tables, True)


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
    """Write the rescaled product; `gate` says that b has one number per channel.

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
