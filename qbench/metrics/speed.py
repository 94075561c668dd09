"""Statistics of raw times, computed on reading. Medians and ranks only: times are skewed, no normal law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import bdtr

from qbench.core.trial import Measurement, Metric
from qbench.metrics.kinds import MetricKind

Verdict = Literal["FASTER", "SLOWER", "SAME", "UNSURE"]


class Timed(NamedTuple):
    """Raw times of one cell, and the 10^9 operations per second that its machine reaches at most (0: unknown)."""

    own: Measurement
    ceiling_gops: float


class Turns(NamedTuple):
    """Raw times of a reference and of one cell that took turns."""

    reference: Measurement
    own: Measurement


class Ratio(NamedTuple):
    """How many times faster than the reference, with its interval; above 1 is faster."""

    ratio: float
    low: float
    high: float


def median_interval(samples: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the sign test's interval of the median: two order statistics, coverage at least `confidence`.

    Fewer than 6 samples cannot give 95 %: then their whole range is returned, whose coverage is 1 - 2^(1 - n).
    No sample gives (nan, nan).
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    if not ordered.size:
        return math.nan, math.nan
    tail = bdtr(np.arange(ordered.size), ordered.size, 0.5)
    rank = max(int(np.searchsorted(tail, (1.0 - confidence) / 2, side="right")), 1)
    return float(ordered[rank - 1]), float(ordered[ordered.size - rank])


def paired_ratio(reference_samples: Sequence[float], samples: Sequence[float], *, confidence: float = 0.95) -> Ratio:
    """Return exp of the median of log(reference / sample) over paired rounds, with the sign test's interval.

    Round i of both ran next to each other, so that a machine that slows down hits both alike. Rounds that only one of
    them has are left out. Raises ValueError when there is no common round or a time is not positive.
    """
    rounds = min(len(reference_samples), len(samples))
    ref = np.asarray(reference_samples[:rounds], dtype=np.float64)
    new = np.asarray(samples[:rounds], dtype=np.float64)
    if not rounds or np.any(ref <= 0) or np.any(new <= 0):
        raise ValueError(f"expected positive times of common rounds, got {rounds} rounds")
    logs = np.log(ref / new)
    low, high = median_interval(list(logs), confidence=confidence)
    return Ratio(math.exp(float(np.median(logs))), math.exp(low), math.exp(high))


def verdict(ratio: Ratio, *, threshold: float = 0.03) -> Verdict:
    """Return the word for a ratio: the interval must exclude 1, and the change must reach `threshold`, to be one."""
    upper, lower = 1.0 + threshold, 1.0 / (1.0 + threshold)
    if ratio.low > 1.0 and ratio.ratio >= upper:
        return "FASTER"
    if ratio.high < 1.0 and ratio.ratio <= lower:
        return "SLOWER"
    return "SAME" if ratio.low >= lower and ratio.high <= upper else "UNSURE"


def images_per_s(measurement: Measurement) -> Metric:
    """Return images per second with the interval of the median turned over; value None without samples."""
    if not measurement.samples_s:
        return IMAGES_PER_S.of(None)
    fast, slow = median_interval(measurement.samples_s)
    items = measurement.items
    return IMAGES_PER_S.of(items / measurement.median_s, low=items / slow, high=items / fast)


def speedup(reference: Measurement, measurement: Measurement) -> Metric:
    """Return the paired speedup per image; value None when the two were not interleaved or lack samples."""
    if reference.group != measurement.group or not reference.samples_s or not measurement.samples_s:
        return SPEEDUP.of(None)
    per_image = measurement.items / reference.items
    ratio, low, high = paired_ratio(reference.samples_s, measurement.samples_s)
    return SPEEDUP.of(ratio * per_image, low=low * per_image, high=high * per_image)


def gops(measurement: Measurement) -> float | None:
    """Return 10^9 operations per second by the median, or None when samples or the count of operations are missing."""
    if not measurement.samples_s or not measurement.operations:
        return None
    return measurement.operations / measurement.median_s / 1e9


def ceiling_share(measurement: Measurement, *, ceiling_gops: float) -> Metric:
    """Return percent of a measured ceiling of 10^9 operations per second; value None when either is missing."""
    rate = gops(measurement)
    return CEILING_SHARE.of(100.0 * rate / ceiling_gops if rate is not None and ceiling_gops > 0 else None)


IMAGES_PER_S = MetricKind(
    "images_per_s", "images/s", "higher", "images per second: images of a call over the median time",
    "time", lambda timed: images_per_s(timed.own),
)  # fmt: skip
CEILING_SHARE = MetricKind(
    "ceiling_share", "%", "higher", "operations per second over the most this machine can do",
    "time", lambda timed: ceiling_share(timed.own, ceiling_gops=timed.ceiling_gops),
)  # fmt: skip
SPEEDUP = MetricKind(
    "speedup", "x", "higher", "median ratio of a reference's time to this row's, round by round",
    "ratio", lambda turns: speedup(turns.reference, turns.own),
)  # fmt: skip
