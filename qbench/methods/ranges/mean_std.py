"""`mean_std`: everything within three standard deviations of the mean; what lies beyond is clipped.

Weights: limit max(|mean - 3 std|, |mean + 3 std|) of each slice. Activations: mean - 3 std to mean + 3 std, within what
was seen. Source: Bhalgat et al. 2020, "LSQ+: improving low-bit quantization through learnable offsets and better
initialization", 3.3, where it is what learned steps begin with.
"""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles
from qbench.methods.uniform import UniformMethod

DEVIATIONS = 3.0


class MeanStd(UniformMethod):
    """Range of three standard deviations."""

    name = "mean_std"

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the limit / highest code."""
        wide = rows.astype(np.float64)
        limits = np.abs(wide.mean(axis=1)) + DEVIATIONS * wide.std(axis=1)
        return np.asarray(limits / grid.high)

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return both limits, within the extremes."""
        reach = DEVIATIONS * stats.std
        return max(stats.mean - reach, stats.minimum), min(stats.mean + reach, stats.maximum)


MEAN_STD = MeanStd()
