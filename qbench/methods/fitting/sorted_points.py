"""Numbers in order with running sums: any table of levels is scored, and its centroids found, in O(levels * log n)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.observe.reference import running_sums
from qbench.methods.fitting.slices import Doubles


def in_order(values: Doubles, mass: Doubles) -> tuple[Doubles, Doubles]:
    """Return numbers in ascending order, and how much each counts."""
    order = np.argsort(values, kind="stable")
    return values[order], mass[order]


class SortedPoints:
    """Weighted numbers, e.g. the bins of a histogram or all weights of a layer.

    Args:
        values: any shape.
        mass: how much each number counts, of the same shape; 1 each when left out.
    """

    def __init__(self, values: npt.ArrayLike, mass: npt.ArrayLike | None = None) -> None:
        flat = np.ravel(np.asarray(values, dtype=np.float64))
        if mass is None:
            self.values, self.mass = np.sort(flat), np.ones(flat.size)
        else:
            self.values, self.mass = in_order(flat, np.ravel(np.asarray(mass, dtype=np.float64)))
        self._sums = running_sums(self.values, self.mass)

    def cells(self, levels: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Return mass, first and second moment of what is nearest to each of the ascending `levels`."""
        cuts = np.searchsorted(self.values, 0.5 * (levels[1:] + levels[:-1]))
        edges = np.concatenate(([0], cuts, [self.values.size]))
        mass, first, second = (np.diff(sums[edges]) for sums in self._sums)
        return mass, first, second

    def error(self, levels: Doubles) -> float:
        """Return the sum of squared errors when each number becomes its nearest level."""
        mass, first, second = self.cells(levels)
        return float(np.sum(second - 2 * levels * first + np.square(levels) * mass))

    def means(self, levels: Doubles) -> Doubles:
        """Return the mean of each level's cell, and the level itself where its cell is empty."""
        mass, first, _ = self.cells(levels)
        return np.where(mass > 0, first / np.where(mass > 0, mass, 1.0), levels)


def best_multiple(points: SortedPoints, levels: Doubles) -> float:
    """Return the scale > 0 at which scale * levels leaves the least squared error; 0 when all numbers are zero.

    Scans from 1.5 times the scale that covers the extremes down to 1/64 of it, then twice nearer and nearer.
    """
    size = max(points.values[-1], -points.values[0])
    if size <= 0:
        return 0.0
    scale = float(size / np.abs(levels).max())
    for shares in (1.5 * 2.0 ** (-np.arange(53) / 8), np.linspace(0.915, 1.09, 8), np.linspace(0.975, 1.025, 11)):
        scale = min((scale * shares).tolist(), key=lambda tried: points.error(tried * levels))
    return scale
