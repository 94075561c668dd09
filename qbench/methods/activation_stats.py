"""What calibration keeps of a tensor: extremes, moments and a histogram of 4096 bins. Never the activations themselves.

What is counted is the law of `qbench.kernels.observe`: the histogram does not depend on how the numbers were cut into
pieces, and the sums of samples are added exactly, in whatever order they come.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.errors import QBenchError
from qbench.kernels.observe.reference import BINS, NOTHING, Seen, joined, seen_f32

_PIECE = 1 << 16  # numbers looked at at a time: bounds the temporaries whatever the caller hands over


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
        self._seen = NOTHING

    def update(self, array: npt.NDArray[np.floating]) -> None:
        """Add samples (n, ..., channels), or numbers (n,); raise QBenchError when one is NaN or infinite."""
        each = max(1, _PIECE // max(1, math.prod(array.shape[1:])))
        for start in range(0, len(array), each):
            part = array[start : start + each].astype(np.float32, copy=False)
            self.take(seen_f32(part[None] if array.ndim == 1 else part))

    def take(self, seen: Seen) -> None:
        """Add what was seen of some samples; raise QBenchError when a number was NaN or infinite."""
        if not seen.finite:
            raise QBenchError("calibration: an activation is NaN or infinite, expected finite numbers")
        self._seen = joined(self._seen, seen)

    def finish(self) -> ActivationStats:
        """Return the statistics so far; raise QBenchError when nothing was seen."""
        seen = self._seen
        if not seen.count:
            raise QBenchError("calibration: a tensor was never observed, so it has no range")
        total, absolute, squares = (math.fsum(column) for column in seen.sums.T)
        mean = total / seen.count
        first = math.floor(min(seen.minimum, 0.0) * 2.0**-seen.exponent)
        return ActivationStats(
            count=seen.count,
            minimum=seen.minimum,
            maximum=seen.maximum,
            mean=mean,
            std=math.sqrt(max(squares / seen.count - mean * mean, 0.0)),
            mean_abs=absolute / seen.count,
            zeros=seen.zeros,
            smallest=seen.smallest if math.isfinite(seen.smallest) else 0.0,
            counts=np.roll(seen.ring, -first),
            first_bin=first,
            bin_width=2.0**seen.exponent,
        )


def stats_of(parts: Iterable[Seen]) -> ActivationStats:
    """Return the statistics of what was seen in parts; raise QBenchError where that is nothing, or is damaged."""
    observer = ActivationObserver()
    for seen in parts:
        observer.take(seen)
    return observer.finish()
