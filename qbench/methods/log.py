"""`log`: signed logarithmic levels, rounded to nearest; the ratio between neighbours leaves the least squared error.

b bits: zero and 2**(b-1) - 1 magnitudes a sign, each `ratio` times the next larger one; the largest is level 1.
Activations that are never negative spend the sign's codes on magnitudes: zero and 2**b - 1 of them. Numbers are
rounded to the nearest real, not the nearest logarithm: that is what least squared error asks. One ratio serves the
tensor; each slice has its own scale. Source: Miyashita et al. 2016, "Convolutional neural networks using logarithmic
data representation".
"""

from __future__ import annotations

import itertools

import numpy as np

from qbench.core.formats import Logarithmic, NumberFormat
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, expand
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import (
    LevelMethod,
    full_table,
    level_params,
    refined_scales,
    signed_table,
    slice_maximum,
)
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles
from qbench.methods.fitting.sorted_points import SortedPoints

_OCTAVES = 2.0 ** np.arange(-6, 1.6, 0.5)  # tried ratios are 2**-octaves
_CLIPS = 2.0 ** (-np.arange(13) / 4)  # tried scales, in units of the largest magnitude
_NEARER = (np.linspace(0.8, 1.25, 7), np.linspace(0.94, 1.06, 7))


class Log(LevelMethod):
    """Sign, zero, and magnitudes in equal steps of the logarithm."""

    name = "log"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the logarithmic format, 2 bits at least."""
        return Logarithmic(bits)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table and scales of least squared error."""
        scale = slice_maximum(weights, spec)
        spread = expand(scale, weights.shape[1], spec.granularity)
        # a slice counts by the square of its scale: the error wanted is that of the weights
        mass = np.broadcast_to(np.square(np.asarray(spread / spread.max(), np.float64)), weights.shape)
        count = 2 ** (spec.format.bits - 1) - 1
        octaves, clip = best_ratio(SortedPoints(np.abs(weights / spread), mass), count)
        levels = signed_table(magnitudes(octaves, count), spec.format.bits)
        params = level_params(spec, scale * np.float32(clip), levels)
        return params if isinstance(spec.granularity, PerTensor) else refined_scales(weights, params)

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table and scale of least squared error on the histogram."""
        bits, largest = spec.format.bits, stats.absolute_maximum
        count = 2**bits - 1 if stats.never_negative else 2 ** (bits - 1) - 1
        unit = largest if largest >= SMALLEST_SCALE else 1.0
        values, mass = stats.points()
        octaves, clip = best_ratio(SortedPoints(np.abs(values / unit), mass), count)
        sizes = magnitudes(octaves, count)
        levels = full_table([0.0, *sizes], bits) if stats.never_negative else signed_table(sizes, bits)
        return level_params(spec, unit * clip, levels)


def magnitudes(octaves: float, count: int) -> Doubles:
    """Return `count` magnitudes up to 1, each 2**octaves times the one before; what float32 cannot hold is left out."""
    exponents = -octaves * np.arange(count - 1, -1, -1.0)
    return np.exp2(exponents[exponents > -100])


def best_ratio(points: SortedPoints, count: int) -> tuple[float, float]:
    """Return octaves between neighbours and the largest magnitude, of least squared error on points in 0..1."""

    def error(pair: tuple[float, float]) -> float:
        return points.error(np.concatenate(([0.0], pair[1] * magnitudes(pair[0], count))))

    octaves, clip = min(itertools.product(_OCTAVES.tolist(), _CLIPS.tolist()), key=error)
    for shares in _NEARER:
        octaves, clip = min(itertools.product((octaves * shares).tolist(), (clip * shares).tolist()), key=error)
    return octaves, clip


LOG = Log()
