"""Codes to float32. Buffers are NHWC; `corners` are the (top, left) of both. Units are rows."""

from __future__ import annotations

from typing import Any

from numba import float32

from qbench.kernels.blocks import BLOCK, fence, flat
from qbench.kernels.jit import jit
from qbench.kernels.quantize.blocks import dequantize_block


@jit
def _dequantize(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, numbers: Any, streaming: bool) -> None:
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    zero_point, scale = numbers
    codes: Any = flat(a)  # type: ignore[call-arg]
    reals: Any = flat(out)
    dense = a.shape[3] == channels and out.shape[3] == channels
    pixels, length = (1, width * channels) if dense else (width, channels)
    whole = length // BLOCK * BLOCK
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(pixels):
            at = ((n * a.shape[1] + y + ay) * a.shape[2] + x + ax) * a.shape[3]
            to = ((n * out.shape[1] + y + oy) * out.shape[2] + x + ox) * out.shape[3]
            for c in range(0, whole, BLOCK):
                if streaming:
                    dequantize_block(codes, at + c, reals, to + c, numbers, 1)
                else:
                    dequantize_block(codes, at + c, reals, to + c, numbers, 0)
            for c in range(whole, length):
                reals[to + c] = (float32(codes[at + c]) - zero_point) * scale
    if streaming:
        fence()


@jit
def dequantize_u8_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, numbers: Any) -> None:
    """Write the reals of codes, NHWC to NHWC; `size` is (height, width, channels), `numbers` (zero_point, scale)."""
    _dequantize(begin, end, a, out, size, corners, numbers, False)


@jit
def dequantize_u8_f32_streaming(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, numbers: Any) -> None:
    """Do the same past the caches: whole blocks lie at addresses that are multiples of 64."""
    _dequantize(begin, end, a, out, size, corners, numbers, True)
