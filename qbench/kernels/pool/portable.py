"""Pooling loops over NHWC buffers. `corners` are the (top, left) of input and output; padding is skipped, not read.

Units are output rows, of the global mean blocks of `BLOCK` channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit
from qbench.kernels.pool.largest import largest

BLOCK = 64


@jit
def global_average_u8_u8(
    begin: int, end: int, a: Any, out: Any, sums: Any, size: Any, corner: Any, numbers: Any, floor: bool
) -> None:
    """Write the rescaled mean of every channel to out[n, 0, 0, c].

    `numbers` is (multiplier, offset, high), `sums` int32 (images, channels) to work in.
    """
    height, width, channels = size
    top, left = corner
    multiplier, offset, high = numbers
    blocks = (channels + BLOCK - 1) // BLOCK
    for unit in range(begin, end):
        n, first = unit // blocks, unit % blocks * BLOCK
        last = min(first + BLOCK, channels)
        total, target = sums[n, first:last], out[n, 0, 0, first:last]
        for c in range(last - first):
            total[c] = 0
        for y in range(top, top + height):
            for x in range(left, left + width):
                codes = a[n, y, x, first:last]  # a slice of its own: a loop from 0 becomes vectors
                for c in range(last - first):
                    total[c] += int32(codes[c])
        for c in range(last - first):
            t = float32(total[c]) * multiplier + offset
            t = np.floor(t) if floor else np.rint(t)
            target[c] = np.uint8(min(max(t, float32(0)), high))


@jit
def pool_f32_f32(
    begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any, is_max: bool, include_pad: bool
) -> None:
    """Write every window's maximum or mean; `window` is (kernel, strides, pads), `sizes` (in, out, channels)."""
    (height, width), (out_height, out_width), channels = sizes
    (ay, ax), (oy, ox) = corners
    (kh, kw), (sh, sw), (ph, pw) = window
    for row in range(begin, end):
        n, y = row // out_height, row % out_height
        y0, y1 = max(y * sh - ph, 0), min(y * sh - ph + kh, height)
        for x in range(out_width):
            x0, x1 = max(x * sw - pw, 0), min(x * sw - pw + kw, width)
            count = float32(kh * kw) if include_pad else float32((y1 - y0) * (x1 - x0))
            for c in range(channels):
                t = float32(-np.inf) if is_max else float32(0)
                for yy in range(y0, y1):
                    for xx in range(x0, x1):
                        value = a[n, yy + ay, xx + ax, c]
                        t = max(t, value) if is_max else t + value
                out[n, y + oy, x + ox, c] = t if is_max else t / count


@jit
def max_u8_u8(begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any) -> None:
    """Write every window's largest code; both buffers hold whole sixteens of channels."""
    (height, width), (out_height, out_width), channels = sizes
    (ay, ax), (oy, ox) = corners
    (kh, kw), (sh, sw), (ph, pw) = window
    words, out_words = a.shape[3], out.shape[3]
    down = a.shape[2] * words
    for row in range(begin, end):
        n, y = row // out_height, row % out_height
        y0, y1 = max(y * sh - ph, 0), min(y * sh - ph + kh, height)
        for x in range(out_width):
            x0, x1 = max(x * sw - pw, 0), min(x * sw - pw + kw, width)
            at = ((n * a.shape[1] + y0 + ay) * a.shape[2] + x0 + ax) * words
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out_words
            c = 0
            while c < channels:
                place = (at + c, to + c, y1 - y0, x1 - x0)
                if channels - c > 32 and words - c >= 64:
                    largest(a, out, place, (down, words), 64)  # type: ignore[call-arg]
                    c += 64
                elif channels - c > 16 and words - c >= 32:
                    largest(a, out, place, (down, words), 32)  # type: ignore[call-arg]
                    c += 32
                else:
                    largest(a, out, place, (down, words), 16)  # type: ignore[call-arg]
                    c += 16


@jit
def pool_u8_u8(
    begin: int,
    end: int,
    a: Any,
    out: Any,
    sizes: Any,
    corners: Any,
    window: Any,
    is_max: bool,
    include_pad: bool,
    numbers: Any,
    limits: Any,
    floor: bool,
) -> None:
    """Write the rescaled maximum or mean; `numbers` is (zero, multiplier, offset).

    Codes outside the image count as `zero` where `include_pad` holds.
    """
    (height, width), (out_height, out_width), channels = sizes
    (ay, ax), (oy, ox) = corners
    (kh, kw), (sh, sw), (ph, pw) = window
    zero, multiplier, offset = numbers
    low, high = limits
    for row in range(begin, end):
        n, y = row // out_height, row % out_height
        y0, y1 = max(y * sh - ph, 0), min(y * sh - ph + kh, height)
        for x in range(out_width):
            x0, x1 = max(x * sw - pw, 0), min(x * sw - pw + kw, width)
            inside = (y1 - y0) * (x1 - x0)
            for c in range(channels):
                best, total = int32(0), int32(0)
                for yy in range(y0, y1):
                    for xx in range(x0, x1):
                        value = int32(a[n, yy + ay, xx + ax, c])
                        best = max(best, value)
                        total += value
                t = float32(best)
                if not is_max:
                    missing = float32(kh * kw - inside) if include_pad else float32(0)
                    count = float32(kh * kw) if include_pad else float32(inside)
                    t = (float32(total) + missing * zero) / count
                t = t * multiplier + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))
