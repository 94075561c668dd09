"""Where a noisy series takes a step: a partition into levels, each border of which a test holds against chance.

The partition with the least squared error is found among all by dynamic programming, with a price for every level
(Jackson et al. 2005, "An algorithm for optimal partitioning of data on an interval"). It finds too many borders rather
than too few, as its noise is a guess from first differences. So each border is tested: the difference of its two levels
against the variance within levels, which is drawn towards that of the other series (Smyth 2004), and for which a border
counts twice, as its place was chosen too. p is multiplied by the number of places at which the border could have been,
and corrected by Holm (1979) over all series. The weakest border goes until all hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from qbench.results.judge import ALPHA, LEAST_VARIANCE, holm
from qbench.results.replicates import common_variance

Doubles = npt.NDArray[np.float64]
_MAD = 0.6745
"""Median absolute deviation of a standard normal number."""


@dataclass(frozen=True, slots=True)
class Border:
    """Where a series takes a step.

    Args:
        place: of the first value behind it.
        change: mean of the level behind minus that of the level before.
        low: lower end of the change's 95 % interval.
        high: upper end.
        p: of no step there, for the number of places and by Holm for all borders.
    """

    place: int
    change: float
    low: float
    high: float
    p: float


def find_steps(series: Sequence[Sequence[float]], *, least: float = 0.0) -> list[tuple[Border, ...]]:
    """Return the borders of every series, in order.

    Args:
        series: values, e.g. logarithms of speeds, in order of time; series of fewer than four values have none.
        least: smallest change that counts.
    """
    values = [np.asarray(one, dtype=np.float64) for one in series]
    found = [partition(one) if one.size > 3 else [] for one in values]
    while True:
        borders = _tested(values, found)
        weak = [
            (border.p, abs(border.change) >= least, number, border.place)
            for number, ones in enumerate(borders)
            for border in ones
            if border.p >= ALPHA or abs(border.change) < least
        ]
        if not weak:
            return [tuple(ones) for ones in borders]
        _, _, number, place = max(weak)
        found[number].remove(place)


def partition(values: Doubles) -> list[int]:
    """Return the places of the borders of the partition with the least squared error and price, shape (n,) values."""
    count = values.size
    noise = max(float(np.median(np.abs(np.diff(values)))) / (_MAD * math.sqrt(2)), math.sqrt(LEAST_VARIANCE))
    price = 2.0 * math.log(count) * noise**2
    sums, squares = (np.concatenate(([0.0], np.cumsum(values**power))) for power in (1, 2))
    best, last = np.zeros(count + 1), np.zeros(count + 1, dtype=np.int64)
    best[0] = -price
    for end in range(1, count + 1):
        starts = np.arange(end)
        error = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / (end - starts)
        cost = best[starts] + error + price
        last[end] = int(np.argmin(cost))
        best[end] = cost[last[end]]
    borders, end = [], count
    while last[end] > 0:
        end = int(last[end])
        borders.append(end)
    return borders[::-1]


def _tested(values: Sequence[Doubles], found: Sequence[Sequence[int]]) -> list[list[Border]]:
    """Return every border of every series with its test."""
    levels = [np.split(one, places) for one, places in zip(values, found, strict=True)]
    freedom = np.array([one.size + 1.0 - 2.0 * len(parts) for one, parts in zip(values, levels, strict=True)])
    within = [sum(float(np.sum((part - part.mean()) ** 2)) for part in parts if part.size) for parts in levels]
    variance = np.maximum(np.array(within) / np.maximum(freedom, 1.0), LEAST_VARIANCE)
    known = freedom > 0
    prior, prior_freedom = common_variance(variance[known], freedom[known]) if known.any() else (0.0, 0.0)
    total = np.minimum(freedom + prior_freedom, max(float(freedom.sum()), 1.0))
    drawn = (prior_freedom * prior + freedom * variance) / np.maximum(freedom + prior_freedom, 1e-9)
    borders = [
        [_border(place, *pair, (float(drawn[number]), float(total[number])))
         for place, pair in zip(places, pairwise(parts), strict=True)]
        for number, (places, parts) in enumerate(zip(found, levels, strict=True))
    ]  # fmt: skip
    raw = [
        min(1.0, _choices(one.size, len(ones)) * border.p) if freedom[number] > 0 else 1.0
        for number, (one, ones) in enumerate(zip(values, borders, strict=True))
        for border in ones
    ]
    without = sum(not ones for ones in borders)
    corrected = iter(holm([*raw, *[1.0] * without]))
    return [[Border(b.place, b.change, b.low, b.high, next(corrected)) for b in ones] for ones in borders]


def _choices(count: int, borders: int) -> int:
    """Return at how many places a border could have been: alone, or as one end of a stretch."""
    return count - 1 if borders < 2 else count * (count - 1) // 2


def _border(place: int, before: Doubles, after: Doubles, spread: tuple[float, float]) -> Border:
    """Return the step between two levels; `spread` is the variance within levels and its degrees of freedom."""
    variance, freedom = spread
    change = float(after.mean() - before.mean())
    error = math.sqrt(variance * (1 / before.size + 1 / after.size))
    half = float(student.ppf(0.975, freedom)) * error
    return Border(place, change, change - half, change + half, float(2 * student.sf(abs(change) / error, freedom)))
