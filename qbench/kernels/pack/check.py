"""Bit packing against its law."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.pack import portable, reference

GUARD = 0xABABABAB
SIZES = ((1, 1), (7, 16), (3, 31), (5, 32), (4, 33), (2, 129))


def check_pack(kind: str, variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of pack_u8_b1, pack_u8_t2 or pack_u8_planes (`p<n>`)."""
    rng = np.random.default_rng(0)
    for count, (pixels, channels) in enumerate(SIZES, 1):
        more: tuple[Any, ...] = ()
        if kind[0] == "p":
            bits = int(kind[1:])
            a = rng.integers(0, 1 << bits, (pixels, channels)).astype(np.uint8)
            want, kernel, more = reference.pack_u8_planes(a, bits), portable.pack_u8_planes, (bits,)
        else:
            a = rng.integers(0, {"b1": 2, "t2": 3}[kind], (pixels, channels)).astype(np.uint8)
            law = {"b1": reference.pack_u8_b1, "t2": reference.pack_u8_t2}[kind]
            want, kernel = law(a), {"b1": portable.pack_u8_b1, "t2": portable.pack_u8_t2}[kind]
        out = np.full((pixels + 1, want.shape[1]), GUARD, want.dtype)  # a row of guards behind the words
        kernel(0, pixels, a, out, channels, *more)
        if not np.array_equal(out[:pixels], want):
            return count, f"{pixels} pixels of {channels} channels"
        if np.any(out[pixels:] != GUARD):
            return count, f"{pixels} pixels of {channels} channels: a guard behind the output changed"
    return len(SIZES), ""
