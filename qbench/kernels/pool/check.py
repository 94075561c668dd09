"""Pooling against its law."""

from __future__ import annotations

import numpy as np

from qbench.kernels.layout import padded_channels
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
            units, sums = n * -(-c // portable.BLOCK), np.zeros((n, c), np.int32)
            portable.global_average_u8_u8(0, units, a, out, sums, (h, w, c), (1, 1), numbers, floor)
            want = reference.global_average_u8_u8(a[:, 1:-1, 1:-1], 1.7 / (h * w), -5.2, 255, floor=floor)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""


def check_max(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of max_u8_u8."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for kernel, stride, pad in ((1, 1, 0), (2, 2, 0), (3, 2, 1)):
            count += 1
            if h + 2 * pad < kernel:
                continue
            a = np.zeros((n, h, w, padded_channels(c)), np.uint8)
            a[..., :c] = rng.integers(0, 256, (n, h, w, c))
            want = reference.max_u8_u8(a, kernel, stride, pad)
            out = np.zeros_like(want)
            sizes = ((h, w), want.shape[1:3], c)
            window = ((kernel, kernel), (stride, stride), (pad, pad))
            portable.max_u8_u8(0, n * want.shape[1], a, out, sizes, ((0, 0), (0, 0)), window)
            if not np.array_equal(out, want):
                return count, f"{(n, h, w, c)} kernel {kernel} stride {stride}"
    return count, ""
