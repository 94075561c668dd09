"""Does a row keep 99 % (99.9 %) of fp32's accuracy? MLPerf's target, asked as a test instead of a point compared.

"Not significantly worse" is no proof of "as good": on few images nothing is significant. Here the burden is turned
round: a target counts as kept when the data refute that less is kept. The ratio of two paired shares is tested with
the score statistic of Nam and Blackwelder (Stat. Med. 2002), closed form by Tang, Tang and Chan (Stat. Med. 2003).
"""

from __future__ import annotations

import math

import numpy.typing as npt
from scipy.special import ndtr, ndtri

from qbench.core.trial import Metric
from qbench.metrics.paired import PairedCounts, counts


def score_z(table: PairedCounts, ratio: float) -> float:
    """Return the score statistic of "top-1 = ratio x top-1 of the reference"; positive when more was kept."""
    both, gained, lost = float(table.both), float(table.gained), float(table.lost)
    right, right_ref = both + gained, both + lost
    a = table.count * (1 + ratio)
    b = right_ref * ratio * ratio - (right + 2 * lost)
    c = lost * (1 - ratio) * (both + gained + lost) / table.count
    lost_share = (-b + math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)
    variance = a * lost_share + (both + gained + lost) * (ratio - 1)
    distance = right - ratio * right_ref
    if variance <= 1e-12:
        return 0.0 if abs(distance) <= 1e-9 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def keeps(correct_ref: npt.ArrayLike, correct: npt.ArrayLike, keep: float) -> Metric:
    """Return the one-sided p of "keeps less than `keep` of the reference", `keep` a fraction such as 0.99."""
    table = counts(correct_ref, correct)
    return Metric(None if table.both + table.lost == 0 else float(ndtr(-score_z(table, keep))), "p", "lower")


def kept(correct_ref: npt.ArrayLike, correct: npt.ArrayLike, *, confidence: float = 0.95) -> Metric:
    """Return top-1 as percent of the reference's with its score interval; value None when the reference's is 0."""
    table = counts(correct_ref, correct)
    right_ref = table.both + table.lost
    if not right_ref:
        return Metric(None, "%", "higher")
    value = (table.both + table.gained) / right_ref
    z = float(ndtri(0.5 + confidence / 2))
    low = _solve(table, target=z, low=0.0, high=value)
    high = _solve(table, target=-z, low=value, high=max(2.0, 4.0 * value))
    return Metric(100.0 * value, "%", "higher", 100.0 * low, 100.0 * high)


def _solve(table: PairedCounts, *, target: float, low: float, high: float) -> float:
    """Return the ratio in low..high at which the falling score statistic crosses `target`, by bisection."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        if score_z(table, middle) > target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
