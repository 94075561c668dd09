"""Between NHWC buffers of codes, of reals, and ONNX's order (n, c, h, w). Units are rows of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit


@jit
def quantize_reals_f32_u8(
    begin: int, end: int, x: Any, out: Any, size: Any, corners: Any, numbers: Any, floor: bool
) -> None:
    """Write u8 codes of reals, NHWC both; `size` is (height, width, channels), `corners` the (top, left) of both.

    `numbers` is float32 (inverse_scale, offset, high).
    """
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    inverse_scale, offset, high = numbers
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(width):
            reals, codes = x[n, y + ay, i + ax], out[n, y + oy, i + ox]
            if floor:
                for c in range(channels):
                    t = np.floor(reals[c] * inverse_scale + offset)
                    codes[c] = np.uint8(min(max(t, float32(0)), high))
            else:
                for c in range(channels):
                    t = np.rint(reals[c] * inverse_scale + offset)
                    codes[c] = np.uint8(min(max(t, float32(0)), high))


@jit
def planes_u8_f32(begin: int, end: int, a: Any, out: Any, size: Any, corner: Any, numbers: Any) -> None:
    """Write the reals of codes (n, h, w, words) as (n, c, h, w); `numbers` is float32 (zero_point, scale)."""
    height, width, channels = size
    top, left = corner
    zero_point, scale = numbers
    for row in range(begin, end):
        n, y = row // height, row % height
        for c in range(channels):
            line = out[n, c, y]
            for i in range(width):
                line[i] = (float32(a[n, y + top, i + left, c]) - zero_point) * scale


@jit
def planes_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corner: Any) -> None:
    """Write reals (n, h, w, words) as (n, c, h, w)."""
    height, width, channels = size
    top, left = corner
    for row in range(begin, end):
        n, y = row // height, row % height
        for c in range(channels):
            line = out[n, c, y]
            for i in range(width):
                line[i] = a[n, y + top, i + left, c]
