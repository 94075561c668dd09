"""Random numbers that are the same on every machine, and sums that do not depend on their order.

A generator's raw 64-bit words are part of NumPy's promise; its normal distribution is not. Everything here is made of
raw words by exact steps, so that a seeded network has one known hash everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

FRACTION_BITS = 10
"""Activations are rounded to 2**-10 while batch norms are fitted: products and sums are then exact in float64."""


class Numbers:
    """A stream of numbers from one seed."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.PCG64(seed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Reals:
        """Return numbers in [low, high) with 32 random bits each."""
        raw = self._words.random_raw(int(np.prod(shape))) >> np.uint64(32)
        return np.asarray(raw.astype(np.float64) * (high - low) / 2.0**32 + low).reshape(shape)

    def normal(self, *shape: int) -> Reals:
        """Return nearly normal numbers: the sum of four uniform ones of 16 bits, scaled to a variance of 1."""
        raw = self._words.random_raw(int(np.prod(shape)))
        parts = raw.view(np.uint16).reshape(-1, 4).astype(np.float64).sum(axis=1)
        return np.asarray((parts - 2 * 65535.0) / (65536.0 * np.sqrt(1.0 / 3.0))).reshape(shape)

    def index(self, count: int) -> int:
        """Return one of 0 .. count - 1."""
        return int(self.uniform(1)[0] * count)


def rounded(values: Reals, bits: int = FRACTION_BITS) -> Reals:
    """Return the values rounded to whole multiples of 2**-bits."""
    return np.asarray(np.rint(values * 2.0**bits) / 2.0**bits)
