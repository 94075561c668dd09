"""Weights as rows of numbers that share a scale: the one place that knows how granularity cuts a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import Granularity, PerChannel, PerGroup
from qbench.core.tensor import Floats
from qbench.errors import QBenchError

Doubles = npt.NDArray[np.float64]

SMALLEST_SCALE = 2.0**-120
"""Steps below it count as zero: their reciprocal would leave float32 soon after."""

LARGEST_WEIGHT = 2.0**120
"""Weights beyond it are refused: sums and ranges of them leave float32."""


def checked_weights(name: str, weights: npt.ArrayLike) -> Floats:
    """Return `weights` as contiguous float32 (channels, depth); raise QBenchError when a method cannot take them."""
    array = np.ascontiguousarray(weights, dtype=np.float32)
    if array.ndim != 2 or array.size == 0:
        raise QBenchError(f"{name}: weights must have the shape (channels, depth) and not be empty, got {array.shape}")
    wrong = ~(np.abs(array) <= LARGEST_WEIGHT)
    if wrong.any():
        channel, place = np.argwhere(wrong)[0]
        raise QBenchError(
            f"{name}: weights must be finite and at most 2**120, got {array[channel, place]:g} in channel {channel}"
            f" at {place} ({int(wrong.sum())} of {wrong.size} are wrong)"
        )
    return array


def per_slice(
    weights: npt.NDArray[Any], granularity: Granularity, fit: Callable[[npt.NDArray[Any]], Doubles]
) -> Doubles:
    """Return `fit` of each slice, in the shape of scales: (), (channels,) or (channels, groups).

    `fit` takes (rows, numbers per row) and returns float64 (rows,). A depth that is no multiple of the group size
    leaves a shorter last group, which is fitted by itself: no padding enters a statistic.
    """
    if isinstance(granularity, PerChannel):
        return fit(weights)
    if not isinstance(granularity, PerGroup):
        return np.asarray(fit(weights.reshape(1, -1))[0])
    channels, depth = weights.shape
    size = granularity.group_size
    whole = depth - depth % size
    parts = []
    if whole:
        parts.append(fit(weights[:, :whole].reshape(-1, size)).reshape(channels, -1))
    if depth > whole:
        parts.append(fit(np.ascontiguousarray(weights[:, whole:])).reshape(channels, 1))
    return np.concatenate(parts, axis=1)


def absolute_maximum(rows: Floats) -> Doubles:
    """Return max |x| of each row."""
    return np.asarray(np.maximum(rows.max(axis=1), -rows.min(axis=1)), dtype=np.float64)


def as_scale(steps: Doubles) -> Floats:
    """Return float32 scales; a slice without extent gets 1, and its numbers the code of zero."""
    return np.where(steps < SMALLEST_SCALE, 1.0, steps).astype(np.float32)
