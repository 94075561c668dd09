"""Pooling against its law; guards around the output stay untouched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import padded_channels
from qbench.kernels.pool import portable, reference
from qbench.kernels.pool.blocks import BLOCK

SIZES = (
    (1, 8, 8, 64),
    (3, 7, 5, 17),
    (1, 1, 1, 1),
    (2, 3, 4, 337),
    (1, 17, 16, 256),
    (2, 3, 2, 4160),
    (2, 37, 12, 64),
    (1, 5, 200, 192),
)
GUARD = 77


def _compared(out: npt.NDArray[np.uint8], inner: tuple[slice, ...], want: npt.NDArray[np.uint8]) -> str:
    """Return what is wrong with a buffer whose `inner` part should be `want` and the rest guards."""
    if not np.array_equal(out[inner], want):
        return f"{int(np.sum(out[inner] != want))} of {want.size} differ"
    out[inner] = GUARD
    return "" if np.all(out == GUARD) else "a guard byte around the output changed"


def check_global_average(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of global_average_u8_u8."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            a = rng.integers(0, 256, (n, h + 2, w + 2, c)).astype(np.uint8)
            out = np.full((n, 1, 1, c + 3), GUARD, np.uint8)
            numbers = tuple(np.float32(v) for v in (1.7 / (h * w), -5.2, 255))
            units, sums = n * -(-c // BLOCK), np.zeros((n, c), np.int32)
            portable.global_average_u8_u8(0, units, a, out, sums, (h, w, c), (1, 1), numbers, floor)
            want = reference.global_average_u8_u8(a[:, 1:-1, 1:-1], 1.7 / (h * w), -5.2, 255, floor=floor)
            detail = _compared(out, np.s_[:, :, :, :c], want)
            if detail:
                return count, f"{(n, h, w, c)} floor={floor}: {detail}"
    return count, ""


def check_mean(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of pool_u8_u8's means, with and without what padding adds."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for kernel, stride, pad in ((2, 2, 0), (3, 1, 1), (3, 2, 1)):
            if min(h, w) + 2 * pad < kernel:
                continue
            height, width = ((size + 2 * pad - kernel) // stride + 1 for size in (h, w))
            a = rng.integers(0, 256, (n, h + 1, w + 1, c + 3)).astype(np.uint8)
            out = np.full((n, height + 2, width + 3, c + 1), GUARD, np.uint8)
            window = ((kernel, kernel), (stride, stride), (pad, pad))
            for include_pad in (False, True):
                for floor in (False, True):
                    count += 1
                    numbers = tuple(np.float32(v) for v in (11, 0.83, 3.25))
                    given = ((h, w), (height, width), c), ((1, 0), (1, 2)), window, False, include_pad
                    limits = np.float32(7), np.float32(200)
                    portable.pool_u8_u8(0, n * height, a, out, *given, numbers, limits, floor)
                    inner = a[:, 1:, :-1, :c]
                    shape, rest = (kernel, stride, pad), {"include_pad": include_pad, "floor": floor}
                    want = reference.mean_u8_u8(inner, shape, numbers, limits, **rest)
                    detail = _compared(out, np.s_[:, 1 : 1 + height, 2 : 2 + width, :c], want)
                    if detail:
                        return (
                            count,
                            f"{(n, h, w, c)} window {shape} {include_pad=} {floor=}: {detail}",
                        )
    return count, ""


def check_max(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of max_u8_u8."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for kernel, stride, pad in ((1, 1, 0), (2, 2, 0), (3, 2, 1)):
            count += 1
            if min(h, w) + 2 * pad < kernel:
                continue
            a = np.zeros((n, h, w, padded_channels(c)), np.uint8)
            a[..., :c] = rng.integers(0, 256, (n, h, w, c))
            want = reference.max_u8_u8(a, kernel, stride, pad)
            height, width = want.shape[1:3]
            out = np.full((n, height + 2, width + 3, want.shape[3]), GUARD, np.uint8)
            sizes = ((h, w), (height, width), c)
            window = ((kernel, kernel), (stride, stride), (pad, pad))
            portable.max_u8_u8(0, n * height, a, out, sizes, ((0, 0), (1, 2)), window)
            detail = _compared(out, np.s_[:, 1 : 1 + height, 2 : 2 + width], want)
            if detail:
                return count, f"{(n, h, w, c)} kernel {kernel} stride {stride}: {detail}"
            for floor in (False, True):
                count += 1
                numbers, limits = (np.float32(0.83), np.float32(3.25)), (np.float32(7), np.float32(200))
                given = (a, out, sizes, ((0, 0), (1, 2)), window, numbers, limits, floor)
                portable.max_rescaled_u8_u8(0, n * height, *given)
                scaled = want.astype(np.float32) * numbers[0] + numbers[1]
                scaled = np.clip(np.floor(scaled) if floor else np.rint(scaled), *limits)
                inner = out[:, 1 : 1 + height, 2 : 2 + width]
                if not np.array_equal(inner[..., :c], scaled[..., :c].astype(np.uint8)):
                    return count, f"{(n, h, w, c)} kernel {kernel} stride {stride} rescaled floor={floor}"
                inner[:] = GUARD
                if not np.all(out == GUARD):
                    return count, f"{(n, h, w, c)} kernel {kernel} stride {stride} rescaled: a guard byte changed"
    return count, ""
