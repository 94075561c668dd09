"""The loop over rows, blocks of channels and strips, as a task; compiled once for each geometry.

Blocks have four vectors of sums; the rest, a multiple of 16 channels, is a block of half as many and one of a quarter.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.callers import word
from qbench.kernels.depthwise.fields import FIELDS, blocks_of
from qbench.kernels.depthwise.strip import strip

(
    OUT_HEIGHT, OUT_WIDTH, LHS_IMAGE, LHS_ROW, LHS_PIXEL, _, OUT_IMAGE, OUT_ROW, OUT_PIXEL, CHANNELS,
) = range(FIELDS.index("out_height"), FIELDS.index("channels") + 1)  # fmt: skip


def strips_of(pixels: int, kh: int, kw: int, step: int, dilation: int, rounding: str, variant: str) -> Any:
    """Return the task, to be compiled: strips of `pixels`, at most a row, windows kh x kw, `step` along the row."""
    geometry = f"{pixels}x{kh}x{kw}x{step}x{dilation}"
    full, half, quarter = blocks_of(variant)

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        height: int = word(arguments, OUT_HEIGHT)  # type: ignore[call-arg]
        width: int = word(arguments, OUT_WIDTH)
        channels: int = word(arguments, CHANNELS)
        rows = images * height
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            n, y = row // height, row % height
            lhs = n * word(arguments, LHS_IMAGE) + y * word(arguments, LHS_ROW)
            out = n * word(arguments, OUT_IMAGE) + y * word(arguments, OUT_ROW)
            for block in range(channels // full):
                for start in range(0, width, pixels):
                    x = min(start, width - pixels)
                    a = lhs + x * step * word(arguments, LHS_PIXEL) + block * full
                    b = out + x * word(arguments, OUT_PIXEL) + block * full
                    strip(arguments, (a, b, block), geometry, full, rounding, variant)
            block, c = channels // full, channels // full * full
            if channels & half:
                for start in range(0, width, pixels):
                    x = min(start, width - pixels)
                    a = lhs + x * step * word(arguments, LHS_PIXEL) + c
                    b = out + x * word(arguments, OUT_PIXEL) + c
                    strip(arguments, (a, b, block), geometry, half, rounding, variant)
                block, c = block + 1, c + half
            if quarter and channels & quarter:
                for start in range(0, width, pixels):
                    x = min(start, width - pixels)
                    a = lhs + x * step * word(arguments, LHS_PIXEL) + c
                    b = out + x * word(arguments, OUT_PIXEL) + c
                    strip(arguments, (a, b, block), geometry, quarter, rounding, variant)

    return run
