"""Packing of u8 codes into words of bits, border included: 0, 1 (binary); 0, 1, 2 (ternary -1, 0, 1); bit planes.

Units are pixels.
"""

from __future__ import annotations

from typing import Any

from numba import uint32

from qbench.kernels.jit import jit


@jit
def pack_u8_b1(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Write 32 channels a word, lowest channel in the lowest bit: (pixels, words) to (pixels, words / 32)."""
    for p in range(begin, end):
        for word in range((channels + 31) // 32):
            bits = uint32(0)
            for c in range(word * 32, min(word * 32 + 32, channels)):
                bits |= uint32(a[p, c] & 1) << uint32(c - word * 32)
            out[p, word] = bits


@jit
def pack_u8_t2(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Write a non-zero and a sign word for 32 channels: (pixels, words) to (pixels, 2 * words / 32)."""
    for p in range(begin, end):
        for word in range((channels + 31) // 32):
            present, negative = uint32(0), uint32(0)
            for c in range(word * 32, min(word * 32 + 32, channels)):
                place = uint32(c - word * 32)
                present |= uint32(a[p, c] != 1) << place
                negative |= uint32(a[p, c] == 0) << place
            out[p, 2 * word] = present
            out[p, 2 * word + 1] = negative


@jit
def pack_u8_planes(begin: int, end: int, a: Any, out: Any, channels: int, planes: int) -> None:
    """Write a word a bit plane for 32 channels, lowest first: (pixels, channels) to (pixels, planes * words)."""
    for p in range(begin, end):
        for word in range((channels + 31) // 32):
            for plane in range(planes):
                bits = uint32(0)
                for c in range(word * 32, min(word * 32 + 32, channels)):
                    bits |= uint32((a[p, c] >> plane) & 1) << uint32(c - word * 32)
                out[p, planes * word + plane] = bits
