"""Percentiles of latencies with bounds that hold for whatever law latencies follow: order statistics, counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr

CONFIDENCE = 0.99
"""Of either end of an interval: the upper one alone is what a promise about latency rests on."""
PERCENTILES = (50, 90, 99)
QUERIES = 662
"""Queries that bound a 99th percentile although one of them lies above the bound."""


class Percentile(NamedTuple):
    """A percentile in seconds with both ends of its interval; an end is None where queries are too few for it."""

    value_s: float
    low_s: float | None
    high_s: float | None


def queries_needed(percent: int, overshoots: int, *, confidence: float = CONFIDENCE) -> int:
    """Return the fewest queries that bound a percentile although so many of them lie above the bound.

    That many queries or fewer lie above a true percentile with at most the chance that is left, by the binomial law;
    the counts are those of MLPerf's rules on early stopping (mlcommons/inference_policies).
    """
    share, count = 1.0 - percent / 100, overshoots + 1
    while bdtr(overshoots, count, share) > 1.0 - confidence:
        count += 1
    return count


def overshoots_allowed(percent: int, queries: int, *, confidence: float = CONFIDENCE) -> int:
    """Return how many of so many queries may lie above a bound that still holds for a percentile; -1 for too few."""
    above = bdtr(np.arange(queries), queries, 1.0 - percent / 100)
    return int(np.searchsorted(above, 1.0 - confidence, side="right")) - 1


def percentile(latencies_s: Sequence[float], percent: int, *, confidence: float = CONFIDENCE) -> Percentile:
    """Return a percentile by nearest rank, each end of its interval with `confidence`.

    Args:
        latencies_s: of queries, in any order; those of one session follow each other, so that a slow spell makes
            neighbours alike, and the interval narrower than it should be.
        percent: 1..99.
        confidence: that the percentile is not above the upper end; the same for the lower one.

    Raises:
        ValueError: there is no query.
    """
    ordered, count, share = np.sort(np.asarray(latencies_s, np.float64)), len(latencies_s), percent / 100
    if not count:
        raise ValueError("expected latencies of at least one query")
    below = bdtr(np.arange(count), count, share)  # at most so many queries are below the percentile
    low = int(np.searchsorted(below, 1.0 - confidence, side="right"))
    overshoots = overshoots_allowed(percent, count, confidence=confidence)
    return Percentile(
        float(ordered[math.ceil(share * count) - 1]),
        float(ordered[low - 1]) if low else None,
        float(ordered[count - 1 - overshoots]) if overshoots >= 0 else None,
    )
