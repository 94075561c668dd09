"""Uniform activations: unsigned codes with a whole zero point, so that real zero (padding, relu) is exact.

real = scale * (code - zero_point). The range is widened to hold zero, and shifts by at most half a step when the zero
point is made whole. One bit gives the levels {0, scale}, or {-scale, 0} when the range is mostly negative: it cannot
hold both signs. Where it must, binary codes can.
"""

from __future__ import annotations

import numpy as np

from qbench.core.spec import QuantSpec
from qbench.core.tensor import QParams
from qbench.kernels.observe.operation import Histogram
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles
from qbench.methods.fitting.sorted_points import in_order


def scale_and_zero(range_min: float, range_max: float, bits: int) -> tuple[float, int]:
    """Return the step and the whole zero point in 0 .. 2**bits - 1 of a range that is widened to hold zero."""
    scale, zero_point = _grids(np.array([range_min]), np.array([range_max]), bits)[0]
    return float(scale), int(zero_point)


def _grids(lows: Doubles, highs: Doubles, bits: int) -> Doubles:
    """Return the step and the zero point of each range, float64 (n, 2)."""
    qmax = 2**bits - 1
    low, high = np.minimum(lows, 0.0), np.maximum(highs, 0.0)
    scale = (high - low) / qmax
    scale, low = np.where(scale < SMALLEST_SCALE, 1.0, scale), np.where(scale < SMALLEST_SCALE, 0.0, low)
    return np.stack([scale, np.clip(np.rint(-low / scale), 0, qmax)], axis=1)


def affine_params(scale: float, zero_point: int, spec: QuantSpec, *, rounding: str = "nearest") -> QParams:
    """Return QParams of one scale and zero point."""
    return QParams(spec, np.asarray(scale, np.float32), np.asarray(zero_point, np.float32), rounding=rounding)


def symmetric_range(limit: float, stats: ActivationStats, bits: int) -> tuple[float, float]:
    """Return the range of magnitudes up to `limit`: one-sided if nothing is negative, else equal codes per side."""
    if stats.never_negative:
        return 0.0, limit
    side = 2 ** (bits - 1) - 1
    if side == 0:
        return (0.0, limit) if stats.maximum >= -stats.minimum else (-limit, 0.0)
    return -limit * (side + 1) / side, limit  # zero point 2**(bits-1); the lowest code is the spare one


def best_range(stats: ActivationStats, bits: int) -> tuple[float, float]:
    """Return the range of least squared error on the histogram, whole zero point and clipping counted; up to 8 bits."""
    histogram = Histogram(*in_order(*stats.points()))
    low, high = min(stats.minimum, 0.0), max(stats.maximum, 0.0)
    if low == 0 or high == 0:
        rounds = (2.0 ** (-np.arange(49) / 8), np.linspace(0.915, 1.09, 8), np.linspace(0.98, 1.02, 9))
    else:
        rounds = (2.0 ** (-np.arange(19) / 3), np.linspace(0.82, 1.2, 7), np.linspace(0.95, 1.05, 7))
    for shares in rounds:
        lows, highs = (end * shares if end else np.zeros(1) for end in (low, high))
        lows, highs = np.repeat(lows, len(highs)), np.tile(highs, len(lows))
        best = int(np.argmin(histogram.errors(_grids(lows, highs, bits), 2**bits)))
        low, high = float(lows[best]), float(highs[best])
    return low, high
