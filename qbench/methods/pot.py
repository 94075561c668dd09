"""`pot`: powers of two. A product becomes a shift; the price is a resolution that more bits do not improve.

Levels are 0 and +-2**e; scale is chosen for least squared error. b bits have 2**(b-1) - 1 exponents: 1 at 2 bits
(level 1), 3 at 3 bits (1, 2, 4), 7 at 4 bits (1 .. 64), so that up to 4 bits levels are whole and fit a signed byte.
At 5 bits they end at 2**14, and further bits only add smaller ones below 1: a larger one would leave float32 at 8 bits.
Code 0 repeats the lowest level and is never produced (as -128 in a narrow grid); code 2**(b-1) is zero.

On N(0, 1): 13.23 dB at 3 bits, 14.23 dB at 4, and no more after. Activations use the same signed table.
Source: Zhou et al. 2017, "Incremental network quantization".
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import NumberFormat, PowerOfTwo
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, searched_scales, signed_table
from qbench.methods.fitting.sorted_points import SortedPoints, best_multiple

_TOP_EXPONENT = 14
_SHARES = 2.0 ** (0.5 - np.arange(33) / 8)  # tried scales: sqrt(2) times what covers the maximum, down to 1/11 of it


class PowersOfTwo(LevelMethod):
    """Powers of two: sign, zero and exponent."""

    name = "pot"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the power-of-two format, 2 bits at least."""
        return PowerOfTwo(bits)

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the uniform format: a table of weights feeds integer kernels, levels of activations would not."""
        return activation_uniform(bits)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table, and for each slice the scale of least squared error."""
        levels = power_levels(spec.format.bits)
        return searched_scales(weights, spec, levels, _SHARES, lambda unit: nearest_power(unit, levels))

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table and the scale of least squared error on the histogram."""
        levels = power_levels(spec.format.bits)
        scale = best_multiple(SortedPoints(*stats.points()), np.unique(levels).astype(np.float64))
        return level_params(spec, scale or 1.0, levels)


def power_levels(bits: int) -> Floats:
    """Return the table of 0 and +-2**e, float32 (2**bits,)."""
    count = 2 ** (bits - 1) - 1
    top = min(count - 1, _TOP_EXPONENT)
    return signed_table(np.exp2(np.arange(top - count + 1.0, top + 1.0)), bits)


def nearest_power(unit: Floats, levels: Floats) -> Floats:
    """Return the level nearest to each number >= 0, in units of the largest level.

    Straight from the exponent: x / 0.75 = m * 2**e with m in [0.5, 1) lies nearest to 2**(e - 1), wherever that exists.
    """
    lowest = np.float32(np.min(levels[levels > 0]) / levels[-1])
    _, exponent = np.frexp(unit * np.float32(4 / 3))
    power = np.ldexp(np.float32(0.5), exponent)
    near = np.clip(power, lowest, np.float32(1))
    return np.where(unit > 0.5 * lowest, near, np.float32(0))


POT = PowersOfTwo()
