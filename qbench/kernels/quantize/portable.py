"""Loops over whole buffers; LLVM makes them vectors. Buffers are NHWC; their border (`top`, `left`) stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit


@jit
def quantize_f32_u8(x: Any, out: Any, top: int, left: int, numbers: Any, floor: bool) -> None:
    """Write u8 codes (n, h, w, words) of float32 images (n, c, h, w); `numbers` is (inverse_scale, offset, high)."""
    inverse_scale, offset, top_code = numbers
    images, channels, height, width = x.shape
    for n in range(images):
        for y in range(height):
            for c in range(channels):
                for i in range(width):
                    t = x[n, c, y, i] * inverse_scale + offset
                    t = np.floor(t) if floor else np.rint(t)
                    out[n, top + y, left + i, c] = np.uint8(min(max(t, float32(0)), top_code))


@jit
def copy_f32_f32(x: Any, out: Any, top: int, left: int) -> None:
    """Write float32 images (n, c, h, w) as (n, h, w, words)."""
    images, channels, height, width = x.shape
    for n in range(images):
        for y in range(height):
            for i in range(width):
                for c in range(channels):
                    out[n, top + y, left + i, c] = x[n, c, y, i]


@jit
def fake_quantize_f32(x: Any, images: int, place: Any, numbers: Any, floor: bool) -> None:
    """Replace the interior of `x` (n, h, w, words) by the reals of its codes.

    `place` is (top, left, height, width, channels), `numbers` float32 (inverse_scale, offset, high, zero_point, scale).
    """
    top, left, height, width, channels = place
    inverse_scale, offset, high, zero_point, scale = numbers
    for n in range(images):
        for y in range(top, top + height):
            for i in range(left, left + width):
                for c in range(channels):
                    t = x[n, y, i, c] * inverse_scale + offset
                    t = np.floor(t) if floor else np.rint(t)
                    x[n, y, i, c] = (min(max(t, float32(0)), high) - zero_point) * scale


@jit
def fake_quantize_levels_f32(x: Any, images: int, place: Any, midpoints: Any, reals: Any) -> None:
    """Replace the interior of `x` by the nearest level's real: a binary search over the midpoints."""
    top, left, height, width, channels = place
    for n in range(images):
        for y in range(top, top + height):
            for i in range(left, left + width):
                for c in range(channels):
                    value = x[n, y, i, c]
                    low, high = 0, midpoints.size
                    while low < high:
                        middle = (low + high) // 2
                        if value > midpoints[middle]:
                            low = middle + 1
                        else:
                            high = middle
                    x[n, y, i, c] = reals[low]
