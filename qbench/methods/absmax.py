"""`absmax`: the largest magnitude sets a range that is the same on both sides of zero.

Weights: step = max |w| / qmax, so that a full signed grid leaves its lowest code unused. Activations: [0, max], or when
some are negative a zero point of 2**(bits-1) and equally many codes on each side. At 8 bits narrow it equals `minmax`.

Source: Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference: a whitepaper", section
2.2.
"""

from __future__ import annotations

from qbench.core.tensor import Floats
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.affine import symmetric_range
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles, absolute_maximum
from qbench.methods.uniform import UniformMethod


class AbsMax(UniformMethod):
    """Range from the largest magnitude."""

    name = "absmax"

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return max |w| / highest code."""
        return absolute_maximum(rows) / grid.high

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return [0, max |x|] or its symmetric form."""
        return symmetric_range(stats.absolute_maximum, stats, bits)


ABSMAX = AbsMax()
