"""`mse`: the range that leaves the least squared error, rounding and clipping together, found by search.

Weights: one search per slice (`grids.best_step`); besides uniform formats it fits ternary and binary ones (for those it
is the optimum that the TWN and XNOR rules approach). Activations: search over both ends of the range on the histogram.
Methods on other grids reuse `MSE.activation_params` for activations in uniform, ternary and binary formats.

Source: Choukroun et al. 2019, "Low-bit quantization of neural networks for efficient inference", section 3.
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Binary, NumberFormat, Ternary
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.affine import affine_params, best_range
from qbench.methods.fitting.grids import Grid, best_step
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, as_scale, checked_weights, per_slice
from qbench.methods.fitting.sorted_points import SortedPoints, best_multiple
from qbench.methods.law import quantize
from qbench.methods.uniform import UniformMethod


class MeanSquaredError(UniformMethod):
    """Range with the least squared error, found by search."""

    name = "mse"

    def takes_weights(self, number_format: NumberFormat) -> bool:
        """Return whether weights can have the format: uniform, ternary, binary."""
        return isinstance(number_format, Ternary | Binary) or super().takes_weights(number_format)

    def takes_activations(self, number_format: NumberFormat) -> bool:
        """Return whether activations can have the format: uniform, ternary, binary."""
        return isinstance(number_format, Ternary | Binary) or super().takes_activations(number_format)

    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the step of least squared error."""
        return best_step(rows, grid)

    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return the range of least squared error on the histogram."""
        return best_range(stats, bits)

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return codes of least squared error; a binary scale is half the step between its levels."""
        if not isinstance(spec.format, Ternary | Binary):
            return super().quantize_weights(weights, spec, seed=seed)
        array = checked_weights(self.name, weights)
        grid = Grid.of_weights(spec.format)
        steps = per_slice(array, spec.granularity, lambda rows: best_step(rows, grid))
        scale = as_scale(steps) if isinstance(spec.format, Ternary) else binary_scale(0.5 * steps)
        params = QParams(spec, scale, np.zeros_like(scale))
        return QTensor(quantize(array, params), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return scale and zero point; ternary and binary ones have zero point -1 when nothing was negative."""
        if not isinstance(spec.format, Ternary | Binary):
            return super().activation_params(stats, spec)
        zero_point = -1 if stats.never_negative else 0
        codes = np.array([-1.0, 1.0] if isinstance(spec.format, Binary) else [-1.0, 0.0, 1.0])
        scale = best_multiple(SortedPoints(*stats.points()), codes - zero_point)
        return affine_params(scale if scale >= SMALLEST_SCALE else 1.0, zero_point, spec)


def binary_scale(magnitudes: Doubles) -> Floats:
    """Return float32 scales of binary weights: a slice of zeros, with no code for zero, gets the smallest."""
    return np.maximum(magnitudes, SMALLEST_SCALE).astype(np.float32)


MSE = MeanSquaredError()
