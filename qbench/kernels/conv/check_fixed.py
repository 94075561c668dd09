"""Requantization in whole numbers against its law: sums, multipliers and exponents at their ends, and ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qbench.kernels.conv.fixed_point import FixedPoint, Ints, requantize_fixed
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.gemm.operation import Gemm

CHANNELS, ROWS, DEPTH = 2048, 3, 16
END = 2**31 - 1


def worst_numbers(rng: np.random.Generator, count: int) -> tuple[Ints, FixedPoint]:
    """Return sums and multipliers that end near 0..255, in ties, or at the ends of int32."""
    multipliers = np.array([1 << 30, (1 << 30) + 1, END, END - 1, 3 << 29, 0])
    multiplier = np.where(rng.random(count) < 0.7, rng.choice(multipliers, count), rng.integers(1 << 30, END, count))
    exponent = rng.integers(-31, 8, count)
    results = rng.integers(-40, 300, count) * 2 + rng.integers(0, 2, count)  # in halves: odd ones are ties
    sums = results * 2.0 ** (30.0 - exponent) / np.maximum(multiplier, 1) + rng.integers(-1, 2, count)
    ends = rng.choice(np.array([-END - 1, -END, END, END - 1, -1, 0, 1]), count)
    limit = (END - 255) / 2.0 ** np.maximum(exponent, 0)
    sums = np.where(rng.random(count) < 0.8, sums, np.where(exponent < 0, ends, 0))
    sums = np.where(exponent < 0, np.clip(np.rint(sums), -END - 1, END), np.clip(np.rint(sums), -limit, limit))
    return sums.astype(np.int32), FixedPoint(multiplier.astype(np.int32), exponent.astype(np.int32))


def check_fixed(variant: str) -> tuple[int, str]:
    """Return the number of sums compared and the first mismatch, or ''."""
    rng = np.random.default_rng(11)
    numbers = ChannelParams(*(np.zeros(CHANNELS, np.float32),) * 3, low=2.0, high=250.0)  # type: ignore[arg-type]
    compared = 0
    for zero_point in (0, 3, 128, 255):
        sums, fixed = worst_numbers(rng, CHANNELS)
        given = replace(numbers, correction=sums, fixed=replace(fixed, zero_point=zero_point))
        rhs = np.zeros((CHANNELS, DEPTH), np.int16)
        got = Gemm(rhs, variant=variant, params=given, epilogue="u8").run(np.full((ROWS, DEPTH), 255, np.uint8))
        want = requantize_fixed(np.broadcast_to(sums, got.shape), given.fixed or fixed, 2.0, 250.0)
        compared += got.size
        if not np.array_equal(got, want):
            n = int(np.flatnonzero((got != want).any(axis=0))[0])
            return compared, (
                f"sum {sums[n]} x {fixed.multiplier[n]} x 2^({fixed.exponent[n]} - 31) + {zero_point}: "
                f"{got[0, n]}, expected {want[0, n]}"
            )
    return compared, ""
