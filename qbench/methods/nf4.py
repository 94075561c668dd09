"""`nf4`: sixteen levels at quantiles of the normal law, -1 to 1, scaled by the largest magnitude of each slice.

Weights of a trained layer are nearly normal, so each level is used about equally often. The negative half has eight
levels and the positive half nine, zero and both ends among them. Here the levels are rounded to 127ths, so that
kernels look them up in a table of 16 bytes: none moves by more than 0.4 % of the largest, and what is scored is what
runs. Source: Dettmers et al. 2023, "QLoRA", section 3 and appendix E, whose table was made by the code that
`normal_levels` follows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from qbench.core.formats import Codebook, Float32, NumberFormat
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, slice_maximum
from qbench.methods.fitting.slices import SMALLEST_SCALE

_BITS = 4
_TOP = np.float32(127)
_OUTERMOST = 0.5 * ((1 - 1 / 32) + (1 - 1 / 30))
"""The quantile of the outermost levels: the mean of what 16 and 15 levels would have."""


def normal_levels() -> Floats:
    """Return the 16 levels, float32 ascending from -1 to 1, zero among them."""
    positive = ndtri(np.linspace(_OUTERMOST, 0.5, 9)[:-1])
    negative = -ndtri(np.linspace(_OUTERMOST, 0.5, 8)[:-1])
    levels = np.sort(np.concatenate((negative, [0.0], positive)))
    return np.asarray(levels / levels[-1], np.float32)


def byte_levels() -> Floats:
    """Return the 16 levels in 127ths, rounded to whole numbers: float32 ascending from -127 to 127."""
    return np.asarray(np.rint(normal_levels() * _TOP), np.float32)


class NormalFloat(LevelMethod):
    """NormalFloat: 16 levels at quantiles of the normal law, 4-bit weights."""

    name = "nf4"
    version = 2

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the codebook; only 4 bits are made."""
        return Codebook(bits, "nf4")

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the uniform format: activations after a clamp at 0 are not normal."""
        return activation_uniform(bits)

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32) or number_format == Codebook(_BITS, "nf4"):
            return None
        if isinstance(number_format, Codebook) and number_format.kind == "nf4":
            return f"{self.name}: has {2**_BITS} levels of {_BITS} bits, not of {number_format.bits}"
        return f"{self.name}: makes codebooks of the kind nf4, not the format {number_format}"

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table, and the largest magnitude of each slice."""
        return level_params(spec, slice_maximum(weights, spec) / _TOP, byte_levels())

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table, and the largest magnitude that was seen."""
        return level_params(spec, max(-stats.minimum, stats.maximum, SMALLEST_SCALE) / _TOP, byte_levels())


NF4 = NormalFloat()
