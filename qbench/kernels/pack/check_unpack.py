"""Unpacking of bits against its law; guards behind every pixel's codes stay untouched."""

from __future__ import annotations

import numpy as np

from qbench.kernels.pack import reference, unpack
from qbench.kernels.pack.check import SIZES

GUARD = 77
SPARE = 3
"""Codes of a pixel behind its channels."""


def check_unpack(kind: str, variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of unpack_b1_u8 or unpack_t2_u8."""
    rng = np.random.default_rng(0)
    law, kernel, pack, levels = {
        "b1": (reference.unpack_b1_u8, unpack.unpack_b1_u8, reference.pack_u8_b1, 2),
        "t2": (reference.unpack_t2_u8, unpack.unpack_t2_u8, reference.pack_u8_t2, 3),
    }[kind]
    for count, (pixels, channels) in enumerate(SIZES, 1):
        codes = rng.integers(0, levels, (pixels, channels)).astype(np.uint8)
        bits = pack(codes)
        if not np.array_equal(law(bits, channels), codes):
            return count, f"{pixels} pixels of {channels} channels: the law does not undo packing"
        out = np.full((pixels, channels + SPARE), GUARD, np.uint8)
        kernel(0, pixels, bits, out, channels)
        if not np.array_equal(out[:, :channels], codes) or np.any(out[:, channels:] != GUARD):
            return count, f"{pixels} pixels of {channels} channels"
    return len(SIZES), ""
