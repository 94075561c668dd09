"""Accuracy of one row by itself. What a row lost against fp32 is a paired question: see `paired`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from qbench.core.trial import Metric
from qbench.metrics.bits import Bools
from qbench.metrics.kinds import MetricKind

WORST_CLASS_PERCENT = MetricKind("worst_class_percent", "%", "higher", "share right of the class that fares worst")


def correct(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Bools:
    """Return whether each first guess of logits (n, classes) equals labels (n,); a tie goes to the lower class."""
    return np.asarray(np.argmax(np.asarray(logits), axis=1) == np.asarray(labels), dtype=np.bool_)


def among_best(logits: npt.ArrayLike, labels: npt.ArrayLike, *, count: int) -> Bools:
    """Return whether labels (n,) are among the `count` best guesses of logits (n, classes).

    Ties go to the lower class, as in `correct`; a logit that is no number is worse than all others.
    """
    guesses = np.nan_to_num(np.asarray(logits, np.float64), nan=-np.inf)
    classes = np.asarray(labels)
    own = guesses[np.arange(len(guesses)), classes][:, None]
    earlier = np.arange(guesses.shape[1]) < classes[:, None]
    return np.asarray(np.sum((guesses > own) | ((guesses == own) & earlier), axis=1) < count, dtype=np.bool_)


def share(right: npt.ArrayLike, kind: MetricKind) -> Metric:
    """Return the share of True in percent, of a kind, with Wilson's 95 % interval; value None for no samples."""
    bits = np.asarray(right, dtype=np.bool_)
    if not bits.size:
        return kind.of(None)
    low, high = wilson(int(bits.sum()), bits.size)
    return kind.of(100.0 * float(bits.mean()), low=100.0 * low, high=100.0 * high)


def worst_class(right: npt.ArrayLike, labels: npt.ArrayLike) -> Metric:
    """Return the lowest share right of any class that occurs in `labels`, in percent, with its Wilson interval."""
    bits, classes = np.asarray(right, dtype=np.bool_), np.asarray(labels)
    if not bits.size:
        return WORST_CLASS_PERCENT.of(None)
    _, positions = np.unique(classes, return_inverse=True)
    counts = np.bincount(positions)
    hits = np.bincount(positions, weights=bits)
    worst = int(np.argmin(hits / counts))
    low, high = wilson(int(hits[worst]), int(counts[worst]))
    return WORST_CLASS_PERCENT.of(100.0 * hits[worst] / counts[worst], low=100.0 * low, high=100.0 * high)


def wilson(hits: int, count: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a share, as fractions in 0..1."""
    if not 0 <= hits <= count or not count:
        raise ValueError(f"expected 0 <= hits <= count and count > 0, got {hits} of {count}")
    z = float(ndtri(0.5 + confidence / 2))
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def newcombe(
    hits: int, count: int, *, other_hits: int, other_count: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return (difference, low, high) of two shares on different images, other minus first: Newcombe 1998, method 10.

    For two rows scored on the same images use `paired.drop`: it is several times narrower.
    """
    first, other = hits / count, other_hits / other_count
    low1, high1 = wilson(hits, count, confidence=confidence)
    low2, high2 = wilson(other_hits, other_count, confidence=confidence)
    difference = other - first
    below, above = math.hypot(other - low2, high1 - first), math.hypot(high2 - other, first - low1)
    return difference, difference - below, difference + above
