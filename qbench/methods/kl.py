"""`kl`: entropy calibration. The clip of activations that keeps most of the histogram's information.

For every candidate limit the histogram of |x| is clipped there (P) and a copy is averaged over as many cells as there
are levels (Q); the limit of the least KL divergence of P from Q wins. Exact zeros are left out: every range holds
them, and a relu's pile of them would outvote the rest. Source: Migacz 2017, "8-bit inference with TensorRT".

Weights: entropy calibration needs a histogram of many numbers, and a channel has tens to hundreds. As in the source,
weights take their largest magnitude: the same codes as `absmax`.
"""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.methods.absmax import ABSMAX
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.slices import Doubles
from qbench.methods.uniform import UniformMethod

_CANDIDATES = 128
_LEAST_MASS = 1e-4  # of one number: stands in for a cell of Q that is empty where P is not


class Entropy(UniformMethod):
    """Activations clipped by entropy calibration, weights by their largest magnitude."""

    name = "kl"

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return max |w| / highest code."""
        return ABSMAX.steps(rows, grid)

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return the limit of least divergence on each side that has numbers, within the extremes."""
        levels = 2**bits if stats.never_negative else 2 ** max(bits - 1, 1)
        limit = entropy_limit(magnitude_counts(stats), levels) * stats.bin_width
        return max(stats.minimum, -limit), min(stats.maximum, limit)


def magnitude_counts(stats: ActivationStats) -> Doubles:
    """Return how many |x| lie in [i, i + 1) bin widths, exact zeros left out, cut after the last that is not empty."""
    counts = stats.counts.astype(np.float64)
    counts[-stats.first_bin] -= stats.zeros
    positive, negative = counts[-stats.first_bin :], counts[: -stats.first_bin][::-1]
    folded = np.zeros(max(positive.size, negative.size))
    folded[: positive.size] += positive
    folded[: negative.size] += negative
    return folded[: int(np.max(np.flatnonzero(folded), initial=0)) + 1]


def entropy_limit(counts: Doubles, levels: int) -> int:
    """Return after how many of the bins `counts` to clip; all of them when they are no more than `levels`."""
    size = counts.size
    if size <= levels:
        return size
    limits = np.unique(np.linspace(levels, size, min(_CANDIDATES, size - levels + 1)).astype(int))
    return int(min(reversed(limits.tolist()), key=lambda limit: _divergence(counts, limit, levels)))


def _divergence(counts: Doubles, limit: int, levels: int) -> float:
    inside = counts[:limit]
    full = inside > 0
    clipped = inside.copy()
    clipped[-1] += counts[limit:].sum()
    cell = np.arange(limit) * levels // limit
    mass, width = np.bincount(cell, inside, levels), np.bincount(cell, full, levels)
    averaged = np.where(full, (mass / np.maximum(width, 1))[cell], 0.0)
    p_mass, q_mass = clipped.sum(), averaged.sum()
    if p_mass <= 0 or q_mass <= 0:
        return float("inf")
    kept = clipped > 0
    p, q = clipped[kept] / p_mass, np.maximum(averaged[kept], _LEAST_MASS) / q_mass
    return float(np.sum(p * np.log(p / q)))


KL = Entropy()
