"""Loops over whole buffers; LLVM makes them vectors. Buffers are NHWC; their border (`top`, `left`) stays as it is.

Units are rows of an image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.blocks import BLOCK, fence
from qbench.kernels.jit import jit
from qbench.kernels.quantize.blocks import quantize_block, quantize_pixels
from qbench.kernels.quantize.planes import codes_from_planes, reals_from_planes

PIXELS, PIXEL_BYTES = 16, 4
"""Pixels of three colours that make a cache line, and the bytes that each takes."""


@jit
def _quantize(
    begin: int, end: int, x: Any, out: Any, size: Any, corner: Any, numbers: Any, floor: bool, streaming: bool
) -> None:
    channels, height, width = size
    top, left = corner
    inverse_scale, offset, top_code = numbers
    if channels != 3 and height * width > 1:
        codes_from_planes(begin, end, x, out, size, corner, numbers, floor)
        return
    for row in range(begin, end):
        n, y = row // height, row % height
        if channels == 3 and out.shape[3] == 4 and not floor:
            line = out[n, top + y, left : left + width]
            at, plane = (n * channels * height + y) * width, height * width
            to = ((n * out.shape[1] + top + y) * out.shape[2] + left) * PIXEL_BYTES
            most = width // PIXELS * PIXELS
            for i in range(0, most, PIXELS):
                if streaming:
                    quantize_pixels(x, at + i, plane, out, to + PIXEL_BYTES * i, numbers, 1)  # type: ignore[call-arg]
                else:
                    quantize_pixels(x, at + i, plane, out, to + PIXEL_BYTES * i, numbers, 0)  # type: ignore[call-arg]
            for i in range(most, width):
                r = np.rint(x[n, 0, y, i] * inverse_scale + offset)
                g = np.rint(x[n, 1, y, i] * inverse_scale + offset)
                b = np.rint(x[n, 2, y, i] * inverse_scale + offset)
                line[i, 0] = np.uint8(int32(min(max(r, float32(0)), top_code)))
                line[i, 1] = np.uint8(int32(min(max(g, float32(0)), top_code)))
                line[i, 2] = np.uint8(int32(min(max(b, float32(0)), top_code)))
                line[i, 3] = np.uint8(0)
            continue
        if channels == 3 and out.shape[3] == 3 and not floor:
            line = out[n, top + y, left : left + width]
            for i in range(width):
                r = np.rint(x[n, 0, y, i] * inverse_scale + offset)
                g = np.rint(x[n, 1, y, i] * inverse_scale + offset)
                b = np.rint(x[n, 2, y, i] * inverse_scale + offset)
                line[i, 0] = np.uint8(int32(min(max(r, float32(0)), top_code)))
                line[i, 1] = np.uint8(int32(min(max(g, float32(0)), top_code)))
                line[i, 2] = np.uint8(int32(min(max(b, float32(0)), top_code)))
            continue
        first = 0
        if height == 1 and width == 1:  # channels lie side by side on both sides
            first = channels // BLOCK * BLOCK
            to = ((n * out.shape[1] + top) * out.shape[2] + left) * out.shape[3]
            for c in range(0, first, BLOCK):
                if floor:
                    quantize_block(x, n * channels + c, out, to + c, numbers, 1, 0)  # type: ignore[call-arg]
                elif streaming:
                    quantize_block(x, n * channels + c, out, to + c, numbers, 0, 1)  # type: ignore[call-arg]
                else:
                    quantize_block(x, n * channels + c, out, to + c, numbers, 0, 0)  # type: ignore[call-arg]
        for c in range(first, channels):
            for i in range(width):
                t = x[n, c, y, i] * inverse_scale + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, top + y, left + i, c] = np.uint8(min(max(t, float32(0)), top_code))
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def quantize_f32_u8(begin: int, end: int, x: Any, out: Any, size: Any, corner: Any, numbers: Any, floor: bool) -> None:
    """Write u8 codes (n, h, w, words) of float32 images (n, c, h, w); `numbers` is (inverse_scale, offset, high)."""
    _quantize(begin, end, x, out, size, corner, numbers, floor, False)


@jit
def quantize_f32_u8_streaming(
    begin: int, end: int, x: Any, out: Any, size: Any, corner: Any, numbers: Any, floor: bool
) -> None:
    """Do the same past the caches, for whole cache lines of one pixel's channels, or of 16 pixels of three colours."""
    _quantize(begin, end, x, out, size, corner, numbers, floor, True)


@jit
def copy_f32_f32(begin: int, end: int, x: Any, out: Any, size: Any, corner: Any) -> None:
    """Write float32 images (n, c, h, w) as (n, h, w, words)."""
    channels, height, width = size
    top, left = corner
    if channels != 3 or out.shape[3] != 3:
        reals_from_planes(begin, end, x, out, size, corner)
        return
    for row in range(begin, end):  # LLVM makes vectors of three streams that it knows of
        n, y = row // height, row % height
        line, first, second, third = out[n, top + y, left : left + width], x[n, 0, y], x[n, 1, y], x[n, 2, y]
        for i in range(width):
            line[i, 0] = first[i]
            line[i, 1] = second[i]
            line[i, 2] = third[i]


@jit
def fake_quantize_f32(begin: int, end: int, x: Any, place: Any, numbers: Any, floor: bool) -> None:
    """Replace the interior of `x` (n, h, w, words) by the reals of its codes.

    `place` is (top, left, height, width, channels), `numbers` float32 (inverse_scale, offset, high, zero_point, scale).
    """
    top, left, height, width, channels = place
    inverse_scale, offset, high, zero_point, scale = numbers
    for row in range(begin, end):
        n, y = row // height, row % height + top
        for i in range(left, left + width):
            for c in range(channels):
                t = x[n, y, i, c] * inverse_scale + offset
                t = np.floor(t) if floor else np.rint(t)
                x[n, y, i, c] = (min(max(t, float32(0)), high) - zero_point) * scale


@jit
def fake_quantize_levels_f32(
    begin: int, end: int, x: Any, bits: Any, place: Any, midpoints: Any, reals: Any, starts: Any
) -> None:
    """Replace the interior of `x` by its level's real; `bits` are the same numbers as uint32, `starts` `level_starts`.

    The upper half of a number's bits names a level at or just below its own: a look-up and a step or two.
    """
    top, left, height, width, channels = place
    for row in range(begin, end):
        n, y = row // height, row % height + top
        for i in range(left, left + width):
            for c in range(channels):
                value, level = x[n, y, i, c], starts[bits[n, y, i, c] >> 16]
                while level < midpoints.size and value > midpoints[level]:
                    level += 1
                x[n, y, i, c] = reals[level]
