"""Normalization of images in NHWC buffers with borders: of every pixel's channels, or of groups of channels.

Each reads float32 numbers and writes float32 numbers or u8 codes of them, whichever array is not empty. Arrays are
flat; `places` says of what is read, then of what is written, (items from image to image, from row to row, from pixel
to pixel, the first pixel's item). `numbers` is (inverse_scale, offset, high) of the codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit
from qbench.kernels.tiles.portable import fma
from qbench.kernels.tokens.functions import code_of
from qbench.kernels.tokens.rounds import LANES
from qbench.kernels.tokens.rows import BULK, norm_row


@jit
def pixel_norm_f32(
    begin: int, end: int, a: Any, zeros: Any, out: Any, codes: Any, size: Any, places: Any, affine: Any,
    epsilon: float, numbers: Any, floor: bool,
) -> None:  # fmt: skip
    """Write the normalization of every pixel's channels; `size` is (height, width, channels). Units are rows.

    `zeros` has a pixel's channels, `affine` is (scale, offset) of each.
    """
    height, width, channels = size
    spans = channels // BULK * BULK, channels // LANES * LANES, channels
    (a_image, a_row, a_step, a_first), (o_image, o_row, o_step, o_first) = places
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            at = n * a_image + y * a_row + x * a_step + a_first
            to = n * o_image + y * o_row + x * o_step + o_first
            norm_row(a, at, zeros, 0, out, codes, to, spans, affine, epsilon, numbers, floor, True)


@jit
def group_norm_f32(
    begin: int, end: int, a: Any, out: Any, codes: Any, size: Any, places: Any, affine: Any, sums: Any, found: Any,
    groups: int, epsilon: float, numbers: Any, floor: bool,
) -> None:  # fmt: skip
    """Write the normalization of `groups` groups of channels over all pixels. Units are images.

    `affine` is (scale, offset) of each channel; `sums` float64 and `found` float32 are scratch, (images, 2, channels).
    """
    height, width, channels = size
    scale, shift = affine
    inverse_scale, offset, high = numbers
    each = channels // groups
    count = np.float64(each * height * width)
    (a_image, a_row, a_step, a_first), (o_image, o_row, o_step, o_first) = places
    for n in range(begin, end):
        totals, squares, means, factors = sums[n, 0], sums[n, 1], found[n, 0], found[n, 1]
        totals[:] = 0.0
        squares[:] = 0.0
        for y in range(height):
            for x in range(width):
                at = n * a_image + y * a_row + x * a_step + a_first
                reals = a[at : at + channels]
                for c in range(channels):
                    totals[c] += reals[c]
        for first in range(0, channels, each):
            totals[first : first + each] = totals[first : first + each].sum() / count
        for y in range(height):
            for x in range(width):
                at = n * a_image + y * a_row + x * a_step + a_first
                reals = a[at : at + channels]
                for c in range(channels):
                    apart = reals[c] - totals[c]
                    squares[c] += apart * apart
        for first in range(0, channels, each):
            variance = squares[first : first + each].sum() / count
            for c in range(first, first + each):
                means[c] = float32(totals[c])
                factors[c] = float32(scale[c] / np.sqrt(variance + epsilon))
        for y in range(height):
            for x in range(width):
                at = n * a_image + y * a_row + x * a_step + a_first
                to = n * o_image + y * o_row + x * o_step + o_first
                reals = a[at : at + channels]
                if len(out):
                    results = out[to : to + channels]
                    for c in range(channels):
                        results[c] = fma(reals[c] - means[c], factors[c], shift[c])  # type: ignore[call-arg]
                if len(codes):
                    bytes_of = codes[to : to + channels]
                    for c in range(channels):
                        t: Any = fma(reals[c] - means[c], factors[c], shift[c])  # type: ignore[call-arg]
                        bytes_of[c] = code_of(t, inverse_scale, offset, high, floor)
