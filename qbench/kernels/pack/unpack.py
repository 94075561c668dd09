"""Words of bits back to u8 codes: 0, 1 (binary), or 0, 1, 2 that stand for -1, 0, 1 (ternary). Units are pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint32, uint64

from qbench.kernels.blocks import BLOCK, fence
from qbench.kernels.jit import jit
from qbench.kernels.pack.blocks import spread_bits

WORD = 32


@jit
def _unpack(begin: int, end: int, bits: Any, out: Any, channels: int, planes: int, streaming: bool) -> None:
    whole = channels // BLOCK * BLOCK
    none, one, two = (0, 1, 1) if planes == 1 else (1, 2, 0)
    for p in range(begin, end):
        for c in range(0, whole, BLOCK):
            word, to = planes * (c // WORD), p * out.shape[1] + c
            ones = uint64(bits[p, word]) | uint64(bits[p, word + planes]) << uint64(WORD)
            twos = uint64(0)
            if planes == 2:
                twos = uint64(bits[p, word + 1]) | uint64(bits[p, word + 3]) << uint64(WORD)
            if streaming:
                spread_bits(ones, twos, out, to, (none, one, two), 1)  # type: ignore[call-arg]
            else:
                spread_bits(ones, twos, out, to, (none, one, two), 0)  # type: ignore[call-arg]
        for c in range(whole, channels):
            word, place = planes * (c // WORD), uint32(c % WORD)
            code = one if bits[p, word] >> place & uint32(1) else none
            if planes == 2 and bits[p, word + 1] >> place & uint32(1):
                code = two
            out[p, c] = np.uint8(code)
    if streaming:
        fence()  # type: ignore[call-arg]


@jit
def unpack_b1_u8(begin: int, end: int, bits: Any, out: Any, channels: int) -> None:
    """Write codes 0 and 1: (pixels, words / 32) to (pixels, words)."""
    _unpack(begin, end, bits, out, channels, 1, False)


@jit
def unpack_b1_u8_streaming(begin: int, end: int, bits: Any, out: Any, channels: int) -> None:
    """Do the same past the caches: whole blocks of `out` lie at addresses that are multiples of 64."""
    _unpack(begin, end, bits, out, channels, 1, True)


@jit
def unpack_t2_u8(begin: int, end: int, bits: Any, out: Any, channels: int) -> None:
    """Write codes 0, 1, 2 of non-zero and sign words: (pixels, 2 * words / 32) to (pixels, words)."""
    _unpack(begin, end, bits, out, channels, 2, False)


@jit
def unpack_t2_u8_streaming(begin: int, end: int, bits: Any, out: Any, channels: int) -> None:
    """Do the same past the caches: whole blocks of `out` lie at addresses that are multiples of 64."""
    _unpack(begin, end, bits, out, channels, 2, True)
