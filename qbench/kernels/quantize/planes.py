"""Between NHWC buffers of codes, of reals, and ONNX's order (n, c, h, w). Units are rows of an image.

The rows of a unit's image are one run of pixels, turned sixteen at a time (`turned`); what is left of a run or of the
channels is done by a last block that goes back over some of the others. Runs of fewer pixels, and images of fewer than
four channels, are plain loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.blocks import BLOCK, LANES, flat
from qbench.kernels.jit import jit
from qbench.kernels.quantize.blocks import quantize_block
from qbench.kernels.quantize.turned import (
    PIXELS,
    QUAD,
    codes_of_planes,
    planes_of_codes,
    planes_of_reals,
    reals_of_planes,
)


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
def _starts(pixel: int, shape: Any, corner: Any, n: int, width: int) -> Any:
    """Return the item of an NHWC buffer of `shape` where a pixel of an image's grid begins, and the walk from there."""
    y, x = pixel // width, pixel % width
    place = ((n * shape[1] + y + corner[0]) * shape[2] + x + corner[1]) * shape[3]
    return place, (shape[3], width - x, width, (shape[2] - width) * shape[3])


@jit
def _spans(channels: int, group: int) -> Any:
    """Return the channels of whole groups, and of one more group, if it takes one, that ends with the last channel."""
    whole = channels // group * group
    return (0, whole), (channels - group if whole < channels else channels, channels)


@jit
def _run(n: int, begin: int, end: int, height: int, width: int) -> Any:
    """Return the first pixel of an image's grid in rows begin to end, and the one behind the last."""
    return max(begin - n * height, 0) * width, min(end - n * height, height) * width


@jit
def planes_u8_f32(begin: int, end: int, a: Any, out: Any, size: Any, corner: Any, numbers: Any) -> None:
    """Write the reals of codes (n, h, w, words) as (n, c, h, w); `numbers` is float32 (zero_point, scale)."""
    height, width, channels = size
    top, left = corner
    zero_point, scale = numbers
    plane = height * width
    for n in range(begin // height, (end + height - 1) // height):
        first, last = _run(n, begin, end, height, width)
        if last - first < PIXELS or channels < QUAD:
            for c in range(channels):
                for y in range(first // width, last // width):
                    line = out[n, c, y]
                    for i in range(width):
                        line[i] = (float32(a[n, y + top, i + left, c]) - zero_point) * scale
            continue
        for block in range(first, last, PIXELS):
            pixel = min(block, last - PIXELS)
            at, walk = _starts(pixel, a.shape, corner, n, width)
            to = n * channels * plane + pixel
            if channels >= LANES:
                for low, high in _spans(channels, LANES):
                    if low < high:
                        planes_of_codes(a, at, walk, out, to, (plane, low, high), numbers, 16)  # type: ignore[call-arg]
            else:
                for low, high in _spans(channels, QUAD):
                    if low < high:
                        planes_of_codes(a, at, walk, out, to, (plane, low, high), numbers, 4)  # type: ignore[call-arg]


@jit
def planes_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corner: Any) -> None:
    """Write reals (n, h, w, words) as (n, c, h, w)."""
    height, width, channels = size
    top, left = corner
    plane = height * width
    for n in range(begin // height, (end + height - 1) // height):
        first, last = _run(n, begin, end, height, width)
        if last - first < PIXELS or channels < QUAD:
            for c in range(channels):
                for y in range(first // width, last // width):
                    line = out[n, c, y]
                    for i in range(width):
                        line[i] = a[n, y + top, i + left, c]
            continue
        for block in range(first, last, PIXELS):
            pixel = min(block, last - PIXELS)
            at, walk = _starts(pixel, a.shape, corner, n, width)
            for low, high in _spans(channels, QUAD):
                if low < high:
                    planes_of_reals(a, at, walk, out, n * channels * plane + pixel, (plane, low, high))  # type: ignore[call-arg]


@jit
def codes_from_planes(
    begin: int, end: int, x: Any, out: Any, size: Any, corner: Any, numbers: Any, floor: bool
) -> None:
    """Write u8 codes (n, h, w, words) of float32 images (n, c, h, w); `size` is (channels, height, width).

    `numbers` is float32 (inverse_scale, offset, high).
    """
    channels, height, width = size
    top, left = corner
    inverse_scale, offset, high_code = numbers
    plane = height * width
    for n in range(begin // height, (end + height - 1) // height):
        first, last = _run(n, begin, end, height, width)
        if last - first < PIXELS or channels < QUAD:
            for c in range(channels):
                for y in range(first // width, last // width):
                    for i in range(width):
                        t = x[n, c, y, i] * inverse_scale + offset
                        t = np.floor(t) if floor else np.rint(t)
                        out[n, top + y, left + i, c] = np.uint8(min(max(t, float32(0)), high_code))
            continue
        for block in range(first, last, PIXELS):
            pixel = min(block, last - PIXELS)
            to, walk = _starts(pixel, out.shape, corner, n, width)
            at = n * channels * plane + pixel
            if channels >= LANES:
                for low, high in _spans(channels, LANES):
                    if low < high and floor:
                        codes_of_planes(out, to, walk, x, at, (plane, low, high), numbers, 16, 1)  # type: ignore[call-arg]
                    elif low < high:
                        codes_of_planes(out, to, walk, x, at, (plane, low, high), numbers, 16, 0)  # type: ignore[call-arg]
            else:
                for low, high in _spans(channels, QUAD):
                    if low < high and floor:
                        codes_of_planes(out, to, walk, x, at, (plane, low, high), numbers, 4, 1)  # type: ignore[call-arg]
                    elif low < high:
                        codes_of_planes(out, to, walk, x, at, (plane, low, high), numbers, 4, 0)  # type: ignore[call-arg]


@jit
def reals_from_planes(begin: int, end: int, x: Any, out: Any, size: Any, corner: Any) -> None:
    """Write float32 images (n, c, h, w) as (n, h, w, words); `size` is (channels, height, width)."""
    channels, height, width = size
    top, left = corner
    plane = height * width
    for n in range(begin // height, (end + height - 1) // height):
        first, last = _run(n, begin, end, height, width)
        if last - first < PIXELS or channels < QUAD:
            for y in range(first // width, last // width):
                for i in range(width):
                    for c in range(channels):
                        out[n, top + y, left + i, c] = x[n, c, y, i]
            continue
        for block in range(first, last, PIXELS):
            pixel = min(block, last - PIXELS)
            to, walk = _starts(pixel, out.shape, corner, n, width)
            for low, high in _spans(channels, QUAD):
                if low < high:
                    reals_of_planes(out, to, walk, x, n * channels * plane + pixel, (plane, low, high))  # type: ignore[call-arg]
