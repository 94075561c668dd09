"""Sums in int32 to codes, as the epilogues of products do it in registers.

Buffers are NHWC; `corners` are the (top, left) of both. Units are rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.blocks import BLOCK, fence
from qbench.kernels.jit import jit
from qbench.kernels.quantize.blocks import requantize_block
from qbench.kernels.tiles.portable import fma


@jit
def _requantize(
    begin: int, end: int, acc: Any, out: Any, size: Any, corners: Any, params: Any, limits: Any, floor: bool,
    streaming: bool,
) -> None:  # fmt: skip
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    correction, scale, offset = params
    low, high = limits
    whole = channels // BLOCK * BLOCK
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            at = ((n * acc.shape[1] + y + ay) * acc.shape[2] + x + ax) * acc.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out.shape[3]
            for c in range(0, whole, BLOCK):
                if floor:
                    requantize_block(acc, at + c, out, to + c, params, c, limits, 1, 0)  # type: ignore[call-arg]
                elif streaming:
                    requantize_block(acc, at + c, out, to + c, params, c, limits, 0, 1)  # type: ignore[call-arg]
                else:
                    requantize_block(acc, at + c, out, to + c, params, c, limits, 0, 0)  # type: ignore[call-arg]
            for c in range(whole, channels):
                total = int32(acc[n, y + ay, x + ax, c] + correction[c])
                t: Any = fma(float32(total), scale[c], offset[c])  # type: ignore[call-arg]
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def requantize_s32_u8(
    begin: int, end: int, acc: Any, out: Any, size: Any, corners: Any, params: Any, limits: Any, floor: bool
) -> None:
    """Write the codes of int32 sums, NHWC to NHWC.

    `size` is (height, width, channels), `params` (correction, scale, offset) of every channel, `limits` (low, high).
    """
    _requantize(begin, end, acc, out, size, corners, params, limits, floor, False)


@jit
def requantize_s32_u8_streaming(
    begin: int, end: int, acc: Any, out: Any, size: Any, corners: Any, params: Any, limits: Any, floor: bool
) -> None:
    """Do the same past the caches: whole blocks lie at addresses that are multiples of 64."""
    _requantize(begin, end, acc, out, size, corners, params, limits, floor, True)
