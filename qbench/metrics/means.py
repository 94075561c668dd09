"""Scores of samples that are numbers: the mean of one row, and of two rows on the same samples.

Nothing is assumed of their distribution but that its mean is of interest. Right or wrong is for `accuracy`, `paired`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr, stdtrit

Doubles = npt.NDArray[np.float64]

RESAMPLES = 2_000
_DRAWN_AT_ONCE = 1 << 20
_EXACT = 12
"""Up to so many samples every pattern of signs is tried; 4,096 patterns."""


def mean_interval(values: Doubles, *, confidence: float = 0.95, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of (n,) values, n > 0, with the interval of its bootstrap's percentiles."""
    value = float(np.mean(values))
    outside = 50.0 * (1.0 - confidence)
    low, high = np.percentile(_resampled_means(values, seed), [outside, 100.0 - outside])
    return value, min(float(low), value), max(float(high), value)


def permutation_p(differences: Doubles) -> float:
    """Return the two-sided p of "the paired differences (n,) have mean 0": how often luck alone moves it as far.

    Under the hypothesis each difference might as well have the other sign (Fisher 1935; Pitman 1937). Few samples are
    tried in every pattern of signs; for more, the mean of the signed differences is normal, with the variance that
    their squares give.
    """
    moved = differences[differences != 0]
    if not moved.size:
        return 1.0
    if moved.size <= _EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=moved.size)))
        reached = np.abs(signs @ moved)
        return float(np.mean(reached >= abs(float(moved.sum())) * (1 - 1e-12)))
    z = abs(float(moved.sum())) / math.sqrt(float(np.sum(moved * moved)))
    return float(2.0 * ndtr(-z))


def ratio_p(values: Doubles, reference: Doubles, *, least: float) -> float:
    """Return the one-sided p of "mean of values < least x mean of reference", from paired samples (Fieller 1954)."""
    margin = values - least * reference
    mean, error = float(np.mean(margin)), _standard_error(margin)
    if error == 0.0:
        return 0.5 if mean == 0 else 0.0 if mean > 0 else 1.0
    return float(stdtr(margin.size - 1, -mean / error))


def ratio_interval(values: Doubles, reference: Doubles) -> tuple[float, float | None, float | None]:
    """Return the ratio of two positive means of paired samples, with Fieller's 95 % interval.

    The ends are None where the reference's mean is not known to differ from 0, or for a single sample.
    """
    top, bottom = float(np.mean(values)), float(np.mean(reference))
    value, count = top / bottom, values.size
    if count < 2:
        return value, None, None
    covariance = np.cov(np.stack([values, reference])) / count
    t2 = float(stdtrit(count - 1, 0.975)) ** 2
    a, b = bottom * bottom - t2 * covariance[1, 1], top * bottom - t2 * covariance[0, 1]
    c = top * top - t2 * covariance[0, 0]
    if a <= 0:
        return value, None, None
    half = math.sqrt(max(b * b - a * c, 0.0))
    return value, min((b - half) / a, value), max((b + half) / a, value)


def _standard_error(values: Doubles) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.inf


def _resampled_means(values: Doubles, seed: int) -> Doubles:
    rng, count = np.random.default_rng(seed), values.size
    rows = max(1, _DRAWN_AT_ONCE // count)
    parts = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.integers(0, count, (min(rows, RESAMPLES - start), count))
        parts.append(values[drawn].mean(axis=1))
    return np.concatenate(parts)
