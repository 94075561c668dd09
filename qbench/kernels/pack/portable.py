"""Packing of u8 codes into words of bits, border included: 0, 1 (binary); 0, 1, 2 (ternary -1, 0, 1); bit planes.

Units are pixels. A word has 32 channels, the lowest channel in the lowest bit; whole blocks of 64 are done at once.
"""

from __future__ import annotations

from typing import Any

from numba import uint32, uint64

from qbench.kernels.blocks import BLOCK, fence
from qbench.kernels.jit import jit
from qbench.kernels.pack.blocks import any_bits, equal_codes, store_bit_pairs, store_bits

WORD = 32


@jit
def _pack_b1(begin: int, end: int, a: Any, out: Any, channels: int, streaming: bool) -> None:
    whole = channels // BLOCK * BLOCK
    for p in range(begin, end):
        for c in range(0, whole, BLOCK):
            to = p * out.shape[1] + c // WORD
            bits: Any = any_bits(a, p * a.shape[1] + c, 1)  # type: ignore[call-arg]
            if streaming:
                store_bits(bits, out, to, 1)
            else:
                store_bits(bits, out, to, 0)
        for word in range(whole // WORD, (channels + WORD - 1) // WORD):
            some = uint32(0)
            for c in range(word * WORD, min(word * WORD + WORD, channels)):
                some |= uint32(a[p, c] & 1) << uint32(c - word * WORD)
            out[p, word] = some
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def pack_u8_b1(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Write a word for 32 channels: (pixels, words) to (pixels, words / 32)."""
    _pack_b1(begin, end, a, out, channels, False)


@jit
def pack_u8_b1_streaming(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Do the same past the caches, for an even number of words."""
    _pack_b1(begin, end, a, out, channels, True)


@jit
def _pack_t2(begin: int, end: int, a: Any, out: Any, channels: int, streaming: bool) -> None:
    whole = channels // BLOCK * BLOCK
    for p in range(begin, end):
        for c in range(0, whole, BLOCK):
            at, to = p * a.shape[1] + c, p * out.shape[1] + 2 * (c // WORD)
            present: Any = ~equal_codes(a, at, 1)  # type: ignore[call-arg]
            negative: Any = equal_codes(a, at, 0)
            if streaming:
                store_bit_pairs(present, negative, out, to, 1)
            else:
                store_bit_pairs(present, negative, out, to, 0)
        for word in range(whole // WORD, (channels + WORD - 1) // WORD):
            some, below = uint32(0), uint32(0)
            for c in range(word * WORD, min(word * WORD + WORD, channels)):
                place = uint32(c - word * WORD)
                some |= uint32(a[p, c] != 1) << place
                below |= uint32(a[p, c] == 0) << place
            out[p, 2 * word] = some
            out[p, 2 * word + 1] = below
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def pack_u8_t2(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Write a non-zero and a sign word for 32 channels: (pixels, words) to (pixels, 2 * words / 32)."""
    _pack_t2(begin, end, a, out, channels, False)


@jit
def pack_u8_t2_streaming(begin: int, end: int, a: Any, out: Any, channels: int) -> None:
    """Do the same past the caches."""
    _pack_t2(begin, end, a, out, channels, True)


@jit
def _pack_planes(begin: int, end: int, a: Any, out: Any, channels: int, planes: int, streaming: bool) -> None:
    whole = channels // BLOCK * BLOCK
    for p in range(begin, end):
        for c in range(0, whole, BLOCK):
            at, word = p * a.shape[1] + c, planes * (c // WORD)
            if planes == 2:
                low: Any = any_bits(a, at, 1)  # type: ignore[call-arg]
                high: Any = any_bits(a, at, 2)
                if streaming:
                    store_bit_pairs(low, high, out, p * out.shape[1] + word, 1)
                else:
                    store_bit_pairs(low, high, out, p * out.shape[1] + word, 0)
                continue
            for plane in range(planes):
                bits: Any = any_bits(a, at, 1 << plane)  # type: ignore[call-arg]
                out[p, word + plane] = uint32(bits)
                out[p, word + planes + plane] = uint32(bits >> uint64(WORD))
        for word in range(whole // WORD, (channels + WORD - 1) // WORD):
            for plane in range(planes):
                part = uint32(0)
                for c in range(word * WORD, min(word * WORD + WORD, channels)):
                    part |= uint32((a[p, c] >> plane) & 1) << uint32(c - word * WORD)
                out[p, planes * word + plane] = part
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def pack_u8_planes(begin: int, end: int, a: Any, out: Any, channels: int, planes: int) -> None:
    """Write a word per bit plane for 32 channels, lowest first: (pixels, channels) to (pixels, planes * words)."""
    _pack_planes(begin, end, a, out, channels, planes, False)


@jit
def pack_u8_planes_streaming(begin: int, end: int, a: Any, out: Any, channels: int, planes: int) -> None:
    """Do the same past the caches where there are two planes."""
    _pack_planes(begin, end, a, out, channels, planes, True)
