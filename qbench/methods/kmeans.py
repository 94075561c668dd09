"""`kmeans`: free levels by Lloyd's iteration, the least squared error that b bits can give (Lloyd-Max).

Weights: slices are divided by their root mean square, pooled into one table (a number counts by the square of its
slice's scale), and per channel or group the scales are fitted to the table afterwards. Starting levels are quantiles
of the cube root of the density, which is where they end for many bits (Panter and Dite 1951): no chance is involved.
Activations: the same on the histogram. Zero is not promised a level. Sources: Lloyd 1982; Han et al. 2016, "Deep
compression".
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Codebook, Float32, NumberFormat
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams, expand
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, full_table, level_params, refined_scales
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, absolute_maximum, per_slice
from qbench.methods.fitting.sorted_points import SortedPoints

_CELLS = 2048  # of the density that starting levels are drawn from
_ROUNDS = 400
_PRECISION = 1e-7  # relative gain of the error below which the iteration ends


class KMeans(LevelMethod):
    """Levels by k-means: a codebook of one table per tensor."""

    name = "kmeans"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return a codebook, 1 bit at least."""
        return Codebook(bits, "kmeans")

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32) or number_format == Codebook(min(number_format.bits, 8), "kmeans"):
            return None
        return f"{self.name}: makes codebooks of the kind kmeans, not the format {number_format}"

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the uniform format: a table of weights feeds integer kernels, levels of activations would not."""
        return activation_uniform(bits)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table of the pooled slices and their scales."""
        scale = np.maximum(per_slice(weights, spec.granularity, _root_mean_square), SMALLEST_SCALE).astype(np.float32)
        spread = expand(scale, weights.shape[1], spec.granularity)
        if isinstance(spec.granularity, PerTensor):
            return level_params(spec, scale, lloyd(SortedPoints(weights / spread), spec.format.bits))
        mass = np.broadcast_to(np.square(np.asarray(spread / spread.max(), np.float64)), weights.shape)
        levels = lloyd(SortedPoints(weights / spread, mass), spec.format.bits)
        return refined_scales(weights, level_params(spec, scale, levels))

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table of the histogram; the scale is the root mean square."""
        scale = max(float(np.hypot(stats.mean, stats.std)), SMALLEST_SCALE)
        values, mass = stats.points()
        return level_params(spec, scale, lloyd(SortedPoints(values / scale, mass), spec.format.bits))


def lloyd(points: SortedPoints, bits: int) -> Floats:
    """Return the table of 2**bits levels of least squared error that Lloyd's iteration reaches, float32 ascending."""
    seen = np.unique(points.values[points.mass > 0])
    if seen.size <= 2**bits:
        return full_table(seen, bits)
    starts = (_starting_levels(points, 2**bits), _best_even_levels(points, 2**bits))
    return full_table(min((_iterate(points, start) for start in starts), key=points.error), bits)


def _iterate(points: SortedPoints, levels: Doubles) -> Doubles:
    error = points.error(levels)
    for _ in range(_ROUNDS):
        levels = _fill_empty(points, points.means(levels))
        before, error = error, points.error(levels)
        if abs(before - error) <= _PRECISION * before:
            break
    return levels


def _best_even_levels(points: SortedPoints, count: int) -> Doubles:
    """Return the best of some evenly spaced tables: lone outliers draw the iteration away from the other start."""
    shares = 2.0 ** (-np.arange(20) / 3)
    ends = points.values[0], points.values[-1]
    return min((np.linspace(ends[0] * share, ends[1] * share, count) for share in shares), key=points.error)


def _starting_levels(points: SortedPoints, count: int) -> Doubles:
    """Return quantiles of the cube root of the density, which is taken over cells of equally many numbers."""
    cells = int(np.clip(points.values.size // 16, 1, _CELLS))
    edges = np.unique(np.linspace(0, points.values.size - 1, cells + 1).astype(int))
    below = np.interp(edges, np.arange(points.values.size), np.cumsum(points.mass))
    ends = points.values[edges]
    # density**(1/3) * width = mass**(1/3) * width**(2/3)
    below = np.concatenate(([0.0], np.cumsum(np.cbrt(np.diff(below) * np.square(np.diff(ends))))))
    return np.asarray(np.interp((np.arange(count) + 0.5) / count * below[-1], below, ends))


def _fill_empty(points: SortedPoints, levels: Doubles) -> Doubles:
    """Move levels with empty cells into the cells of the largest error, one standard deviation off their mean."""
    mass, first, second = points.cells(levels)
    empty = np.flatnonzero(mass == 0)
    if not empty.size:
        return levels
    spread = np.maximum(second - np.square(first) / np.where(mass > 0, mass, 1.0), 0.0)
    worst = np.argsort(-spread, kind="stable")[: empty.size]
    moved = levels.copy()
    moved[empty] = levels[worst] + np.sqrt(spread[worst] / np.where(mass[worst] > 0, mass[worst], 1.0))
    return np.unique(moved)


def _root_mean_square(rows: Floats) -> Doubles:
    largest = absolute_maximum(rows)
    unit = rows / np.where(largest > 0, largest, 1.0)[:, None]
    return np.asarray(largest * np.sqrt(np.square(unit).mean(axis=1)))


KMEANS = KMeans()
