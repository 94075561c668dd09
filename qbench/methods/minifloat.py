"""`fp4_e2m1`, `fp8_e4m3`, `fp8_e5m2`: floats of 4 and 8 bits under a scale of least squared error for each slice.

Levels lie close together near 0 and apart far from it, as normal weights do. Those of e2m1 are 0, 1, 2, 3, 4, 6, 8 and
12 halves: whole numbers, so that kernels look them up in a table of 16 bytes. Those of 8 bits reach over 2**17 steps
and more: no byte holds them, and such rows are simulated. Activations have the same 8-bit format; beside 4-bit weights
they are uniform. Zero is exact. Source: Micikevicius et al. 2022, "FP8 formats for deep learning"; for e2m1 the OCP
microscaling specification, version 1.0.
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Codebook, Float32, NumberFormat
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, searched_scales
from qbench.methods.fitting.minifloats import E2M1, E4M3, E5M2, Minifloat, float_levels, unit_of
from qbench.methods.fitting.sorted_points import SortedPoints, best_multiple

_SHARES = 2.0 ** (0.25 - np.arange(21) / 8)
"""Tried scales: from 1.19 times what covers the maximum down to a fifth of it."""


class SmallFloats(LevelMethod):
    """Floats of 4 or 8 bits, scaled for least squared error."""

    def __init__(self, name: str, kind: Minifloat) -> None:
        self.name, self.kind = name, kind
        self.levels = float_levels(kind)
        self.bits = self.levels.size.bit_length() - 1

    @property
    def made(self) -> NumberFormat:
        """The one format that the method makes."""
        return Codebook(self.bits, self.kind.name)

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the format; raise QBenchError for another width."""
        if bits != self.bits:
            raise QBenchError(f"{self.name}: has numbers of {self.bits} bits, not of {bits}")
        return self.made

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the 8-bit format for 8 bits beside such weights, else the uniform one that integer kernels take."""
        return self.made if bits == self.bits == 8 else activation_uniform(bits)

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32) or number_format == self.made:
            return None
        return f"{self.name}: makes {self.bits}-bit floats of the kind {self.kind.name}, not the format {number_format}"

    def nearest(self, unit: Floats) -> Floats:
        """Return the level nearest to each number, both in units of the largest level."""
        largest = np.float32(self.kind.largest)
        return np.asarray(self.kind.rounded(unit * largest) / largest, np.float32)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table, and for each slice the scale of least squared error."""
        return searched_scales(weights, spec, self.levels, _SHARES, self.nearest)

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table and the scale of least squared error on the histogram."""
        scale = best_multiple(SortedPoints(*stats.points()), np.unique(self.levels).astype(np.float64))
        return level_params(spec, scale or unit_of(self.kind), self.levels)


FP4_E2M1 = SmallFloats("fp4_e2m1", E2M1)
FP8_E4M3 = SmallFloats("fp8_e4m3", E4M3)
FP8_E5M2 = SmallFloats("fp8_e5m2", E5M2)
