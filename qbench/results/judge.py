"""Statistics for two runs that never took turns: a shift of medians, and the correction for asking many questions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu

from qbench.metrics.speed import Ratio

Logs = npt.NDArray[np.float64]

RESAMPLES = 4000


def shift(logs_a: Logs, logs_b: Logs, *, seed: int = 0) -> tuple[Ratio, float]:
    """Return exp(median b - median a) with its bootstrap 95 % interval, and the p of Mann and Whitney's test.

    Args:
        logs_a: logarithms of a speed, one per round, of the first run; shape (n,).
        logs_b: the same of the second run; shape (m,).
        seed: of the bootstrap.

    Raises:
        ValueError: a run has no round.
    """
    if not logs_a.size or not logs_b.size:
        raise ValueError("expected rounds in both runs")
    rng = np.random.default_rng(seed)
    drawn = [np.median(rng.choice(logs, (RESAMPLES, logs.size)), axis=1) for logs in (logs_b, logs_a)]
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    middle = float(np.median(logs_b) - np.median(logs_a))
    p = float(mannwhitneyu(logs_a, logs_b).pvalue)
    return Ratio(math.exp(middle), math.exp(min(float(low), middle)), math.exp(max(float(high), middle))), p


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) step-down corrected p of each, in the same order: safe for any dependence between rows."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = worst
    return corrected
