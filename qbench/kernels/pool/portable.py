"""Pooling loops over NHWC buffers. `corners` are the (top, left) of input and output; padding is skipped, not read.

Units are output rows, of the global mean blocks of `BLOCK` channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.blocks import LANES, fence
from qbench.kernels.jit import jit
from qbench.kernels.pool.blocks import BLOCK, LINE
from qbench.kernels.pool.largest import STEP, WAITING_LINES, largest, largest_along, largest_rows, sum_pixels
from qbench.kernels.pool.means import mean_window

SHORT = 257
WINDOW = STEP + 1
"""Side of the windows that have no loop."""
RUN = 8
"""Rows that are written before the windows at their ends, which read the same lines."""


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
        at = ((n * a.shape[1] + top) * a.shape[2] + left) * a.shape[3] + first
        strides = (a.shape[2] * a.shape[3], a.shape[3])
        lines = (last - first) // LINE
        place, to, whole = (at, height, width, lines), n * channels + first, lines * LINE
        if lines and height * width <= SHORT:
            sum_pixels(a, place, strides, sums, to, 1)  # type: ignore[call-arg]
        elif lines:
            sum_pixels(a, place, strides, sums, to, 0)  # type: ignore[call-arg]
        if whole < last - first:
            rest = sums[n, first + whole : last]
            for c in range(last - first - whole):
                rest[c] = 0
            for y in range(top, top + height):
                for x in range(left, left + width):
                    codes = a[n, y, x, first + whole : last]  # a slice of its own: a loop from 0 becomes vectors
                    for c in range(last - first - whole):
                        rest[c] += int32(codes[c])
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
def _max(begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any, streaming: bool) -> None:
    (height, width), (out_height, out_width), channels = sizes
    (ay, ax), (oy, ox) = corners
    (kh, kw), (sh, sw), (ph, pw) = window
    words, out_words = a.shape[3], out.shape[3]
    down, out_down, lines = a.shape[2] * words, out.shape[2] * out_words, channels // LINE
    inside = min((width + pw - WINDOW) // sw + 1, out_width) if kh == WINDOW and kw == WINDOW else 0
    row = begin
    while row < end:
        n, y, rows = row // out_height, row % out_height, 1
        above, first, last = y * sh - ph, 0, 0
        if 0 < lines <= WAITING_LINES and above >= 0 and above + WINDOW <= height:
            first, last = (pw + sw - 1) // sw, inside  # windows that lie inside the image
        if last > first:
            at = ((n * a.shape[1] + above + ay) * a.shape[2] + first * sw - pw + ax) * words
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + first + ox) * out_words
            if sh == STEP and sw == STEP:
                rows = min(RUN, end - row, out_height - y, (height - WINDOW - above) // STEP + 1)
                strides = (down, words, out_down, out_words)
                most = WAITING_LINES // lines
                for begun in range(0, last - first, most):
                    windows = min(most, last - first - begun)
                    place = (at + begun * STEP * words, to + begun * out_words, rows, windows, lines)
                    if streaming:
                        largest_rows(a, out, place, strides, 1)  # type: ignore[call-arg]
                    else:
                        largest_rows(a, out, place, strides, 0)  # type: ignore[call-arg]
            else:
                for c in range(0, lines * LINE, LINE):
                    along = (at + c, to + c, last - first)
                    largest_along(a, out, along, (down, words, sw * words, out_words), WINDOW, LINE)  # type: ignore[call-arg]
        for other in range(y, y + rows):
            y0, y1 = max(other * sh - ph, 0), min(other * sh - ph + kh, height)
            for x in range(out_width):
                x0, x1 = max(x * sw - pw, 0), min(x * sw - pw + kw, width)
                at = ((n * a.shape[1] + y0 + ay) * a.shape[2] + x0 + ax) * words
                to = ((n * out.shape[1] + other + oy) * out.shape[2] + x + ox) * out_words
                c = lines * LINE if first <= x < last else 0
                while c < channels:
                    place_of = (at + c, to + c, y1 - y0, x1 - x0)
                    if channels - c > 32 and words - c >= LINE:
                        largest(a, out, place_of, (down, words), LINE)  # type: ignore[call-arg]
                        c += LINE
                    elif channels - c > 16 and words - c >= 32:
                        largest(a, out, place_of, (down, words), 32)  # type: ignore[call-arg]
                        c += 32
                    else:
                        largest(a, out, place_of, (down, words), 16)  # type: ignore[call-arg]
                        c += 16
        row += rows


@jit
def max_u8_u8(begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any) -> None:
    """Write every window's largest code; both buffers hold whole sixteens of channels."""
    _max(begin, end, a, out, sizes, corners, window, False)


@jit
def max_u8_u8_streaming(begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any) -> None:
    """Do the same past the caches, for windows of 3 by 3 two pixels apart: pixels of `out` are whole cache lines."""
    _max(begin, end, a, out, sizes, corners, window, True)
    fence()  # type: ignore[call-arg]


@jit
def max_rescaled_u8_u8(
    begin: int, end: int, a: Any, out: Any, sizes: Any, corners: Any, window: Any, numbers: Any, limits: Any,
    floor: bool,
) -> None:  # fmt: skip
    """Write every window's largest code, rescaled; `numbers` is (multiplier, offset)."""
    _, (out_height, out_width), channels = sizes
    _, (oy, ox) = corners
    multiplier, offset = numbers
    low, high = limits
    for row in range(begin, end):
        max_u8_u8(row, row + 1, a, out, sizes, corners, window)
        n, y = row // out_height, row % out_height
        for x in range(out_width):
            codes = out[n, y + oy, x + ox, :channels]  # a slice of its own: a loop from 0 becomes vectors
            for c in range(channels):
                t = float32(codes[c]) * multiplier + offset
                t = np.floor(t) if floor else np.rint(t)
                codes[c] = np.uint8(min(max(t, low), high))


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
    """Write the rescaled maximum or mean of any number of channels; `numbers` is (zero, multiplier, offset).

    Codes outside the image count as `zero` where `include_pad` holds.
    """
    (height, width), (out_height, out_width), channels = sizes
    (ay, ax), (oy, ox) = corners
    (kh, kw), (sh, sw), (ph, pw) = window
    zero, multiplier, offset = numbers
    low, high = limits
    words, down = a.shape[3], a.shape[2] * a.shape[3]
    for row in range(begin, end):
        n, y = row // out_height, row % out_height
        y0, y1 = max(y * sh - ph, 0), min(y * sh - ph + kh, height)
        for x in range(out_width):
            x0, x1 = max(x * sw - pw, 0), min(x * sw - pw + kw, width)
            inside = (y1 - y0) * (x1 - x0)
            missing = float32(kh * kw - inside) if include_pad else float32(0)
            count = float32(kh * kw) if include_pad else float32(inside)
            whole = 0 if is_max else channels // LANES * LANES
            at = ((n * a.shape[1] + y0 + ay) * a.shape[2] + x0 + ax) * words
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out.shape[3]
            mean = (missing * zero, count, multiplier, offset, low, high)
            for c in range(0, whole, LANES):
                place = (at + c, to + c, y1 - y0, x1 - x0)
                if floor:
                    mean_window(a, out, place, (down, words), mean, 1)  # type: ignore[call-arg]
                else:
                    mean_window(a, out, place, (down, words), mean, 0)  # type: ignore[call-arg]
            for c in range(whole, channels):
                best, total = int32(0), int32(0)
                for yy in range(y0, y1):
                    for xx in range(x0, x1):
                        value = int32(a[n, yy + ay, xx + ax, c])
                        best = max(best, value)
                        total += value
                t = float32(best)
                if not is_max:
                    t = (float32(total) + missing * zero) / count
                t = t * multiplier + offset
                t = np.floor(t) if floor else np.rint(t)
                out[n, y + oy, x + ox, c] = np.uint8(min(max(t, low), high))
