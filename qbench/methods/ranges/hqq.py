"""`hqq`: the zero point of every slice that leaves the least |error|^0.7, by half-quadratic splitting; no data is seen.

The step covers each slice from its least to its largest number. In units of it, with t = W / s, q = clip(round(t + z)):

    e = shrink(t - (q - z)),   z <- mean(q - t + e),   shrink(x) = sign(x) max(|x| - |x|^(p-1) / beta, 0),  p = 0.7

for 20 rounds, beta from 10 growing by 1 %; of all z on the way, the one with the least sum of |error|^p is taken. The
zero point keeps its fraction. Here beta is in units of the step, so that it does not depend on the weights' size.
Activations are those of `mse`. Source: Badri and Shaji 2023, "Half-quadratic quantization of large machine learning
models".
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Float32, NumberFormat
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, checked_weights, per_slice
from qbench.methods.law import quantize
from qbench.methods.method import granularity_reason, is_affine, mse_activation_reason, refuse
from qbench.methods.mse import MSE

ROUNDS, POWER, BETA, GROWTH = 20, 0.7, 10.0, 1.01


class HalfQuadratic:
    """Step of the whole range, zero point of least |error|^0.7."""

    name = "hqq"
    version = 1

    def weight_format(self, bits: int) -> NumberFormat:
        """Return unsigned codes with a zero point."""
        return activation_uniform(bits)

    def activation_format(self, bits: int) -> NumberFormat:
        """Return unsigned codes with a zero point."""
        return activation_uniform(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return (
            self.weights_reason(spec.weights.format)
            or mse_activation_reason(self.name, spec.activations.format)
            or granularity_reason(self.name, spec)
        )

    def weights_reason(self, number_format: NumberFormat) -> str | None:
        """Return why weights cannot have the format, or None."""
        if isinstance(number_format, Float32) or is_affine(number_format):
            return None
        return f"{self.name}: weights have unsigned codes with a zero point, not the format {number_format}"

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return the nearest codes under the zero points that were found."""
        refuse(self.weights_reason(spec.format))
        array, top = checked_weights(self.name, weights), 2**spec.format.bits - 1
        step = per_slice(array, spec.granularity, lambda rows: _steps(rows, top))
        zero = per_slice(array, spec.granularity, lambda rows: zero_points(rows, top))
        params = QParams(spec, step.astype(np.float32), zero.astype(np.float32))
        return QTensor(quantize(array, params), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return what `mse` gives."""
        return MSE.activation_params(stats, spec)


def _steps(rows: Floats, top: int) -> Doubles:
    """Return the step of each row that covers it; of one number repeated, that number or 1."""
    wide = rows.astype(np.float64)
    step = (wide.max(axis=1) - wide.min(axis=1)) / top
    alone = np.abs(wide[:, 0])
    return np.where(step >= SMALLEST_SCALE, step, np.where(alone >= SMALLEST_SCALE, alone, 1.0))


def zero_points(rows: Floats, top: int) -> Doubles:
    """Return the zero point of each row of weights (rows, numbers), codes being 0 .. top."""
    places = rows.astype(np.float64) / _steps(rows, top)[:, None]
    zero = -places.min(axis=1)
    best, least, beta = zero, np.full(len(rows), np.inf), BETA
    for _ in range(ROUNDS):
        codes = np.clip(np.rint(places + zero[:, None]), 0, top)
        error = places - (codes - zero[:, None])
        loss = (np.abs(error) ** POWER).sum(axis=1)
        best, least = np.where(loss < least, zero, best), np.minimum(loss, least)
        size = np.abs(error)
        shrunk = np.maximum(size - np.where(size > 0, size, 1.0) ** (POWER - 1) / beta, 0)
        zero = (codes - places + np.sign(error) * shrunk).mean(axis=1)
        beta *= GROWTH
    return np.asarray(best)


HQQ = HalfQuadratic()
