"""16-bit codes in two buffers of bytes: high and low, which two products of bytes multiply."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit


@jit
def split_f32_u8(begin: int, end: int, x: Any, out: Any, size: Any, corners: Any, numbers: Any, shift: int) -> None:
    """Write the high or the low bytes of the 16-bit codes of reals.

    Args:
        begin: first row of an image.
        end: row after the last.
        x: float32 (n, h, w, words), with its border.
        out: u8 (n, h, w, words), with its border.
        size: (height, width, channels).
        corners: (top, left) of what is read and of what is written.
        numbers: float32 (inverse_scale, zero_point, highest code).
        shift: 8 for the high bytes, 0 for the low ones.
    """
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    inverse_scale, offset, top = numbers
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(width):
            for c in range(channels):
                t = np.rint(x[n, ay + y, ax + i, c] * inverse_scale + offset)
                code = int32(min(max(t, float32(0)), top))
                out[n, oy + y, ox + i, c] = np.uint8((code >> shift) & 255)
