"""Error of a tensor against its original."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from qbench.core.trial import Metric
from qbench.metrics.kinds import MetricKind
from qbench.metrics.network import Built


def sqnr_db(original: npt.ArrayLike, approximation: npt.ArrayLike) -> float:
    """Return 10 log10(sum x^2 / sum (x - x̂)^2) in float64: inf when they are equal, -inf when only the signal is 0."""
    signal = np.asarray(original, dtype=np.float64)
    error = signal - np.asarray(approximation, dtype=np.float64)
    power, noise = float(np.sum(signal * signal)), float(np.sum(error * error))
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(power / noise) if power else -math.inf


def weight_sqnr(original: npt.ArrayLike, approximation: npt.ArrayLike) -> Metric:
    """Return `sqnr_db` as a score; value None where it is not finite."""
    value = sqnr_db(original, approximation)
    return WEIGHT_SQNR_DB.of(value if math.isfinite(value) else None)


def weight_bias(original: npt.ArrayLike, approximation: npt.ArrayLike, *, step: npt.ArrayLike) -> Metric:
    """Return the mean of (x̂ - x) / step; `step` broadcasts against the tensors, and where it is 0 is left out."""
    steps = np.asarray(step, dtype=np.float64)
    error = np.asarray(approximation, dtype=np.float64) - np.asarray(original, dtype=np.float64)
    steps = np.broadcast_to(steps, error.shape)
    used = steps != 0
    return WEIGHT_BIAS_STEPS.of(float(np.mean(error[used] / steps[used])) if np.any(used) else None)


def _sqnr_of(built: Built) -> Metric | None:
    return None if built.together is None else weight_sqnr(built.together.original, built.together.restored)


def _bias_of(built: Built) -> Metric | None:
    found = built.together
    if found is None or not found.uniform:
        return None
    return weight_bias(found.original, found.restored, step=found.step)


WEIGHT_SQNR_DB = MetricKind(
    "weight_sqnr_db", "dB", "higher", "power of the fp32 weights over the power of their error", "network", _sqnr_of
)
WEIGHT_BIAS_STEPS = MetricKind(
    "weight_bias_steps", "steps", "none", "mean error in steps of the grid: 0 for rounding, about -0.5 for floor",
    "network", _bias_of,
)  # fmt: skip
