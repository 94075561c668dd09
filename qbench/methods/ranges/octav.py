"""`octav`: the clip that balances the noise of rounding with that of clipping, by Newton's iteration.

    s <- E[|x|; |x| > s] / (4^-b / 3 P[0 < |x| <= s] + P[|x| > s])

from s = E|x| over what is not zero. The step is 2 s / 2^b; where nothing is negative, s / 2^b, and 12 stands for 3.
Rounding is taken to be uniform noise, so at few bits the search of `mse` finds less error. Source: Sakr et al.
2022, "Optimal clipping and magnitude-aware differentiation for improved quantization-aware training", (6).
"""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.affine import symmetric_range
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles
from qbench.methods.uniform import UniformMethod

ITERATIONS = 20


class Octav(UniformMethod):
    """Clip of least noise, by Newton's iteration."""

    name = "octav"

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return 2 s / 2^b."""
        size = np.abs(rows).astype(np.float64)
        levels = grid.high - grid.low + 1
        return 2 * best_clip(size, np.ones_like(size), 4 / levels**2 / 12) / levels

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return the clip on both sides, or on one where nothing is negative."""
        values, counts = stats.points()
        noise = 4.0**-bits / (12 if stats.never_negative else 3)
        clip = float(best_clip(np.abs(values)[None], counts[None], noise)[0])
        return symmetric_range(min(clip, stats.absolute_maximum), stats, bits)


def best_clip(size: Doubles, counts: Doubles, noise: float) -> Doubles:
    """Return the clip of each row of magnitudes.

    Args:
        size: |x|, float64 (rows, numbers).
        counts: how often each occurs.
        noise: of rounding, as a share of the clip's square.
    """
    seen = counts * (size > 0)
    total = np.maximum(seen.sum(axis=1), 1)
    clip = np.asarray((size * seen).sum(axis=1) / total)
    for _ in range(ITERATIONS):
        beyond = seen * (size > clip[:, None])
        out = beyond.sum(axis=1)
        below = noise * (seen.sum(axis=1) - out) + out
        clip = np.where(below > 0, (size * beyond).sum(axis=1) / np.where(below > 0, below, 1), 0.0)
    return clip


OCTAV = Octav()
