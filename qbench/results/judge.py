"""Statistics for two runs that never took turns: a shift of speeds, and the correction for asking many questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu
from scipy.stats import t as student

from qbench.metrics.pair import Pair
from qbench.metrics.speed import Ratio

Logs = npt.NDArray[np.float64]
ScoreVerdict = Literal["BETTER", "WORSE", "SAME", "UNSURE"]

ALPHA = 0.05
"""What counts as beyond chance: of a p that is corrected for all that is asked."""
RESAMPLES = 4000
BETWEEN_PROCESSES = 0.015
"""Standard deviation of a log ratio from one fresh process to the next on an unsteady machine. Of 20 ratios of one
commit in two runs of a process each, the two furthest from 1 were 1.031 and 0.967: 0.013 of each run."""
LEAST_VARIANCE = 1e-12
"""Of a log ratio: a millionth, finer than any clock."""
_MOST, _NORMAL = 700.0, 1.96


def shift(before: Sequence[Logs], after: Sequence[Logs], *, spread: float = 0.0, seed: int = 0) -> tuple[Ratio, float]:
    """Return exp(after - before) of log speeds with its 95 % interval, and p of no difference.

    Where both runs timed several fresh processes, their medians are what is compared (Welch's t). Else medians of
    rounds are, with the bootstrap's interval and Mann and Whitney's p; a spread between processes widens the interval.

    Args:
        before: of each process of the first run, logarithms of a speed, one per round.
        after: the same of the second run.
        spread: standard deviation of a log ratio between processes that rounds of a single one do not show.
        seed: of the bootstrap.

    Raises:
        ValueError: a run has no round.
    """
    if not all(sum(logs.size for logs in run) for run in (before, after)):
        raise ValueError("expected rounds in both runs")
    if min(len(before), len(after)) > 1:
        middle, error, freedom = _welch(*([float(np.median(logs)) for logs in run] for run in (before, after)))
        half = float(student.ppf(0.975, freedom)) * error
        return _ratio(middle, middle - half, middle + half), 2.0 * float(student.sf(abs(middle) / error, freedom))
    first, second = np.concatenate(before), np.concatenate(after)
    rng = np.random.default_rng(seed)
    drawn = [np.median(rng.choice(logs, (RESAMPLES, logs.size)), axis=1) for logs in (second, first)]
    middle, moved = float(np.median(second) - np.median(first)), drawn[0] - drawn[1]
    low, high = np.percentile(moved, [2.5, 97.5])
    p = float(mannwhitneyu(first, second).pvalue)
    if spread:
        error = math.hypot(float(np.std(moved)), math.sqrt(2) * spread)
        low, high = middle - _NORMAL * error, middle + _NORMAL * error
        p = max(p, math.erfc(abs(middle) / error / math.sqrt(2)))
    return _ratio(middle, min(float(low), middle), max(float(high), middle)), p


def _ratio(middle: float, low: float, high: float) -> Ratio:
    return Ratio(math.exp(middle), math.exp(low), math.exp(min(high, _MOST)))


def _welch(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """Return the difference of two means, its standard error and its degrees of freedom (Welch 1947)."""
    parts = [max(float(np.var(run, ddof=1)), LEAST_VARIANCE) / len(run) for run in (before, after)]
    freedom = sum(parts) ** 2 / sum(part**2 / (len(run) - 1) for part, run in zip(parts, (before, after), strict=True))
    return float(np.mean(after) - np.mean(before)), math.sqrt(sum(parts)), freedom


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) step-down corrected p of each, in the same order: safe for any dependence between rows."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = worst
    return corrected


def score_change(pair: Pair) -> tuple[float, float, float] | None:
    """Return how much higher a row's score is than its reference's, with the paired 95 % interval; None if unknown."""
    lost, low, high = pair.loss()
    if lost is None or low is None or high is None:
        return None
    return (-lost, -high, -low) if pair.task.higher else (lost, low, high)


def score_verdict(change: tuple[float, float, float], p: float | None, *, higher: bool, least: float) -> ScoreVerdict:
    """Return the word for a change of a score: one that counts is beyond chance and not too small to matter.

    Args:
        change: with the ends of its interval.
        p: of no change, corrected; None where nothing is left to chance.
        higher: whether more is better.
        least: smallest change that matters.
    """
    value, low, high = change
    if p is not None and p < ALPHA and abs(value) >= least:
        return "BETTER" if (value > 0) == higher else "WORSE"
    return "SAME" if low >= -least and high <= least else "UNSURE"
