"""Bit packing against its law."""

from __future__ import annotations

import numpy as np

from qbench.kernels.pack import portable, reference

SIZES = ((1, 1), (7, 16), (3, 31), (5, 32), (4, 33), (2, 129))


def check_pack(kind: str, variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of pack_u8_b1 or pack_u8_t2."""
    rng = np.random.default_rng(0)
    kernel, law, high = {
        "b1": (portable.pack_u8_b1, reference.pack_u8_b1, 2),
        "t2": (portable.pack_u8_t2, reference.pack_u8_t2, 3),
    }[kind]
    for count, (pixels, channels) in enumerate(SIZES, 1):
        a = rng.integers(0, high, (pixels, channels)).astype(np.uint8)
        want = law(a)
        out = np.zeros_like(want)
        kernel(a, out, pixels, channels)
        if not np.array_equal(out, want):
            return count, f"{pixels} pixels of {channels} channels"
    return len(SIZES), ""
