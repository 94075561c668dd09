"""`percentile`: like `absmax` for weights and `minmax` for activations, but what lies beyond a percentile is clipped.

Weights: the percentile of |w| in each slice, interpolated; in a slice of few numbers it is all but the maximum.
Activations: the percentile at each end of the histogram that has numbers beyond zero. The choice alone decides between
no loss and ruin (99.9 against 99.999), so three choices have names: `percentile` (99.99), `percentile_99_9`,
`percentile_99_999`.

Source: Wu et al. 2020, "Integer quantization for deep learning inference: principles and empirical evaluation",
section 4.
"""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles
from qbench.methods.uniform import UniformMethod


class Percentile(UniformMethod):
    """Range from a percentile.

    Args:
        percentile: share of the numbers that stay unclipped, in percent, above 50 and at most 100.
        name: the word in suites.
    """

    def __init__(self, percentile: float = 99.99, *, name: str = "percentile") -> None:
        if not 50 < percentile <= 100:
            raise QBenchError(f"{name}: percentile must be above 50 and at most 100, got {percentile}")
        self.percentile, self.name = percentile, name
        self.__doc__ = f"Range from the {percentile:g}th percentile."

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the percentile of |w| / highest code."""
        limits: Doubles = np.percentile(np.abs(rows), self.percentile, axis=1).astype(np.float64)
        return limits / grid.high

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return the percentile from below and from above."""
        share = self.percentile / 100
        return stats.quantile(1 - share), stats.quantile(share)


PERCENTILE = Percentile()
PERCENTILE_99_9 = Percentile(99.9, name="percentile_99_9")
PERCENTILE_99_999 = Percentile(99.999, name="percentile_99_999")
