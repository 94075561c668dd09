"""What calibration keeps of a tensor: extremes, moments and a histogram of 4096 bins. Never the activations themselves.

Bins are 2**k wide and start at whole multiples of 2**k; when a number falls outside, neighbours merge and k grows by
one. Merging equals binning at the wider width, so the histogram does not depend on how the numbers were cut into
pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.errors import QBenchError

BINS = 4096
_PIECE = 1 << 18  # numbers binned at a time: bounds the temporaries to a few MB whatever the caller hands over
_LEAST_EXPONENT = -120  # narrower bins would need a factor beyond float32


@dataclass(frozen=True, slots=True, eq=False)
class ActivationStats:
    """Statistics of the numbers seen.

    Args:
        count: how many.
        minimum: the smallest.
        maximum: the largest.
        mean: their mean.
        std: their standard deviation.
        mean_abs: mean of |x|.
        zeros: how many are exactly zero.
        smallest: the smallest |x| that is not zero; 0 when all are zero.
        counts: int64 (4096,): bin i holds [first_bin + i, first_bin + i + 1) * bin_width.
        first_bin: where bin 0 begins, in bin widths; never positive, so that zero lies in the histogram's range.
        bin_width: a power of two.
    """

    count: int
    minimum: float
    maximum: float
    mean: float
    std: float
    mean_abs: float
    zeros: int
    smallest: float
    counts: npt.NDArray[np.int64]
    first_bin: int
    bin_width: float

    @property
    def never_negative(self) -> bool:
        """Whether nothing below zero was seen, as behind a relu."""
        return self.minimum >= 0

    @property
    def absolute_maximum(self) -> float:
        """The largest |x|."""
        return max(self.maximum, -self.minimum, 0.0)

    @property
    def centers(self) -> npt.NDArray[np.float64]:
        """The middle of each bin, float64 (4096,)."""
        return np.asarray((np.arange(BINS) + (self.first_bin + 0.5)) * self.bin_width, dtype=np.float64)

    def points(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return numbers and how often each was seen: middles of bins within the extremes, and zero by itself."""
        counts = self.counts.astype(np.float64)
        counts[-self.first_bin] -= self.zeros
        seen = counts > 0
        values = np.clip(self.centers[seen], self.minimum, self.maximum)
        return np.append(values, 0.0), np.append(counts[seen], float(self.zeros))

    def quantile(self, fraction: float) -> float:
        """Return the number below which `fraction` of all lie, interpolated inside its bin, within the extremes."""
        below = np.concatenate(([0], np.cumsum(self.counts)))
        place = float(np.interp(fraction * self.count, below, np.arange(BINS + 1)))
        return min(max((self.first_bin + place) * self.bin_width, self.minimum), self.maximum)


class ActivationObserver:
    """Collect statistics of a tensor piece by piece in bounded memory: `update` as often as wanted, then `finish`."""

    def __init__(self) -> None:
        self._count = self._zeros = 0
        self._minimum, self._maximum, self._smallest = math.inf, -math.inf, math.inf
        self._sum = self._sum_abs = self._sum_squares = 0.0
        self._counts = np.zeros(BINS, dtype=np.int64)
        self._first, self._exponent = 0, _LEAST_EXPONENT

    def update(self, array: npt.NDArray[np.floating]) -> None:
        """Add the numbers of `array`, of any shape; raise QBenchError when one is NaN or infinite."""
        flat = np.ravel(array)
        for start in range(0, flat.size, _PIECE):
            self._add(flat[start : start + _PIECE].astype(np.float32, copy=False))

    def finish(self) -> ActivationStats:
        """Return the statistics so far; raise QBenchError when nothing was seen."""
        if not self._count:
            raise QBenchError("calibration: a tensor was never observed, so it has no range")
        mean = self._sum / self._count
        return ActivationStats(
            count=self._count,
            minimum=self._minimum,
            maximum=self._maximum,
            mean=mean,
            std=math.sqrt(max(self._sum_squares / self._count - mean * mean, 0.0)),
            mean_abs=self._sum_abs / self._count,
            zeros=self._zeros,
            smallest=self._smallest if math.isfinite(self._smallest) else 0.0,
            counts=self._counts.copy(),
            first_bin=self._first,
            bin_width=2.0**self._exponent,
        )

    def _add(self, x: npt.NDArray[np.float32]) -> None:
        low, high = float(x.min()), float(x.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise QBenchError("calibration: an activation is NaN or infinite, expected finite numbers")
        size = np.abs(x)
        zeros = x.size - int(np.count_nonzero(x))
        least = float(size.min()) if not zeros else float(np.min(size, where=size > 0, initial=np.inf))
        self._minimum, self._maximum = min(self._minimum, low), max(self._maximum, high)
        self._smallest = min(self._smallest, least)
        self._count += x.size
        self._zeros += zeros
        self._fit_range()
        wide = x.astype(np.float64)
        places = np.floor(wide * 2.0**-self._exponent).astype(np.intp) - self._first
        self._counts += np.bincount(places, minlength=BINS)
        self._sum += float(wide.sum())
        self._sum_abs += float(size.sum(dtype=np.float64))
        self._sum_squares += float(np.square(wide, out=wide).sum())

    def _fit_range(self) -> None:
        """Merge bins until zero and both extremes have one, and put bin 0 where the smallest number lies."""
        low, high = min(self._minimum, 0.0), max(self._maximum, 0.0)
        exponent = self._exponent
        while math.floor(high * 2.0**-exponent) - math.floor(low * 2.0**-exponent) >= BINS:
            exponent += 1
        first = math.floor(low * 2.0**-exponent)
        held = np.flatnonzero(self._counts)
        places = ((held + self._first) >> (exponent - self._exponent)) - first
        self._counts = np.bincount(places, weights=self._counts[held], minlength=BINS).astype(np.int64)
        self._first, self._exponent = first, exponent
