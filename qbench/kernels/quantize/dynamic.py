"""Dynamic quantization, simulated: reals become what codes with a scale from their own extremes stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit

SMALLEST = float32(2.0**-100)
"""A range below it is left as it is: its reciprocal would leave float32."""


@jit
def _replace(part: Any, channels: int, top: Any) -> None:
    """Replace the numbers of `part` (h, w, words) by the reals of codes 0 .. `top` over the range that holds 0."""
    low, high = float32(0), float32(0)
    for y in range(part.shape[0]):
        for i in range(part.shape[1]):
            for c in range(channels):
                low, high = min(low, part[y, i, c]), max(high, part[y, i, c])
    scale = (high - low) / top
    if not scale >= SMALLEST:
        return
    inverse = float32(1) / scale
    zero = np.rint(-low * inverse)
    for y in range(part.shape[0]):
        for i in range(part.shape[1]):
            for c in range(channels):
                t = np.rint(part[y, i, c] * inverse + zero)
                part[y, i, c] = (min(max(t, float32(0)), top) - zero) * scale


@jit
def fake_dynamic_f32(begin: int, end: int, x: Any, place: Any, top: Any) -> None:
    """Replace the interior of images begin..end of `x` (n, h, w, words), each by its own range.

    `place` is (top, left, height, width, channels), `top` the highest code.
    """
    up, left, height, width, channels = place
    for n in range(begin, end):
        _replace(x[n, up : up + height, left : left + width], channels, top)


@jit
def fake_dynamic_rows_f32(begin: int, end: int, x: Any, place: Any, top: Any) -> None:
    """Do the same for rows begin..end of pixels, each pixel (a token, in a text) by its own range."""
    up, left, height, width, channels = place
    for row in range(begin, end):
        n, y = row // height, row % height + up
        for i in range(left, left + width):
            _replace(x[n, y : y + 1, i : i + 1], channels, top)
