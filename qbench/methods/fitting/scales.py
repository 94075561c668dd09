"""Scales of few bits: the second level of scales that `core.granularity.ScaledGroup` asks for, and errors by slice.

A method chooses float32 scales of groups; `settled` moves each to the grid that its bits can say. What lies on the grid
already stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import ScaledGroup
from qbench.core.tensor import Floats, QParams
from qbench.methods.fitting.minifloats import E4M3
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, per_slice
from qbench.methods.law import fake_quantize

_POWERS = np.exp2(np.arange(-120.0, 128.0))
"""e8m0's own lowest is 2**-127, but a scale's reciprocal must be a float32 number."""
_WHOLE = np.arange(1.0, 64.0)
_ALIKE = 1e-6
"""Relative difference below which a scale lies on the grid."""


def settled(weights: Floats, params: QParams) -> QParams:
    """Return the parameters with every scale on the grid that the granularity asks for.

    Of the two neighbours on the grid the one is taken that leaves the smaller squared error.

    Args:
        weights: float32 (channels, depth).
        params: with float32 scales; returned as they are where the granularity keeps those.
    """
    granularity = params.spec.granularity
    if not isinstance(granularity, ScaledGroup):
        return params
    unit, grid = _level(granularity, params.scale.astype(np.float64))
    value = params.scale / unit
    place = np.searchsorted(grid, value * (1 - _ALIKE))
    high = grid[np.minimum(place, grid.size - 1)]
    low = np.where(high <= value * (1 + _ALIKE), high, grid[np.maximum(place - 1, 0)])
    below, above = _with_scale(params, low * unit), _with_scale(params, high * unit)
    better = slice_errors(weights, below) < slice_errors(weights, above)
    return _with_scale(params, np.where(better, below.scale, above.scale))


def _level(granularity: ScaledGroup, scale: Doubles) -> tuple[Doubles, Doubles]:
    """Return the second level of scales, which broadcasts to the first, and the ascending grid above it."""
    if granularity.scales == "e8m0":
        return np.ones(()), _POWERS
    if granularity.scales == "e4m3":
        return np.asarray(np.float32(scale.max() / E4M3.largest), np.float64), E4M3.magnitudes()
    return (scale.max(axis=1, keepdims=True) / _WHOLE[-1]).astype(np.float32).astype(np.float64), _WHOLE


def _with_scale(params: QParams, scale: npt.NDArray[np.floating]) -> QParams:
    return replace(params, scale=np.maximum(scale, SMALLEST_SCALE).astype(np.float32))


def slice_errors(weights: Floats, params: QParams) -> Doubles:
    """Return the sum of squared errors of each slice, float64 in the shape of the scales."""
    error = fake_quantize(weights, params).astype(np.float64) - weights
    return slice_sums(np.square(error, out=error), params)


def slice_sums(values: npt.NDArray[np.floating], params: QParams) -> Doubles:
    """Return the sum of each slice, float64 in the shape of the scales."""
    return per_slice(values, params.spec.granularity, lambda rows: np.asarray(rows.sum(axis=1, dtype=np.float64)))
