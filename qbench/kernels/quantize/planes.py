"""Between NHWC buffers of codes, of reals, and ONNX's order (n, c, h, w). Units are rows of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.blocks import BLOCK, flat
from qbench.kernels.jit import jit
from qbench.kernels.quantize.blocks import quantize_block


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
    reals: Any = flat(x)  # type: ignore[call-arg]
    codes: Any = flat(out)
    dense = x.shape[3] == channels and out.shape[3] == channels
    pixels, length = (1, width * channels) if dense else (width, channels)
    whole = length // BLOCK * BLOCK
    for row in range(begin, end):
        n, y = row // height, row % height
        for i in range(pixels):
            at = ((n * x.shape[1] + y + ay) * x.shape[2] + i + ax) * x.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + i + ox) * out.shape[3]
            for c in range(0, whole, BLOCK):
                if floor:
                    quantize_block(x, at + c, out, to + c, numbers, 1, 0)
                else:
                    quantize_block(x, at + c, out, to + c, numbers, 0, 0)
            for c in range(whole, length):
                t = reals[at + c] * inverse_scale + offset
                t = np.floor(t) if floor else np.rint(t)
                codes[to + c] = np.uint8(min(max(t, float32(0)), high))


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
