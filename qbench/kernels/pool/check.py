"""Pooling against its law."""

from __future__ import annotations

import numpy as np

from qbench.kernels.pool import portable, reference

SIZES = ((1, 8, 8, 64), (3, 7, 5, 17), (1, 1, 1, 1))


def check_global_average(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of global_average_u8_u8."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            a = rng.integers(0, 256, (n, h + 2, w + 2, c)).astype(np.uint8)
            out = np.zeros((n, 1, 1, c), np.uint8)
            numbers = tuple(np.float32(v) for v in (1.7 / (h * w), -5.2, 255))
            portable.global_average_u8_u8(a, out, n, (h, w, c), (1, 1), *numbers, floor)
            want = reference.global_average_u8_u8(a[:, 1:-1, 1:-1], 1.7 / (h * w), -5.2, 255, floor=floor)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""
