"""`minmax`: the extremes set the range; nothing is clipped, so one outlier widens every step.

Weights: the smallest step whose grid covers the slice's minimum and maximum; the full signed grid's spare negative
code is used. Activations: [minimum, maximum]. Source: Jacob et al. 2018, "Quantization and Training of Neural Networks
...", 3.
"""

from __future__ import annotations

from qbench.core.tensor import Floats
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles
from qbench.methods.uniform import UniformMethod


class MinMax(UniformMethod):
    """Range from the extremes."""

    name = "minmax"

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the smallest step that clips nothing."""
        return grid.covering_step(rows)

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return the extremes."""
        return stats.minimum, stats.maximum


MINMAX = MinMax()
