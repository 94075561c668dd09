"""What all methods on equal steps share: formats, refusals, and how a step or a range becomes QParams.

Weights: `core.spec.weight_uniform`, zero point 0. One bit is the exception: signed symmetric codes would be {-1, 0}, a
grid without a positive number, so 1-bit weights have the unsigned codes {0, 1} with zero point 0.5: real = -scale/2 or
scale/2. Activations: unsigned codes with a whole zero point (`qbench.methods.fitting.affine`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from qbench.core.formats import Float32, NumberFormat, Uniform
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform, weight_uniform
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.affine import affine_params, scale_and_zero
from qbench.methods.fitting.grids import Grid
from qbench.methods.fitting.scales import settled
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, as_scale, checked_weights, per_slice
from qbench.methods.law import quantize
from qbench.methods.method import granularity_reason, is_affine, refuse

_MOST_CLIPPED = 8
"""Bits up to which a method chooses the range of activations."""
ONE_BIT = Uniform(1, signed=False, symmetric=False)


class UniformMethod(ABC):
    """A method that chooses one step per slice of weights and one range per tensor of activations."""

    name: str
    version: int = 1

    @abstractmethod
    def steps(self, rows: Floats, grid: Grid) -> Doubles:
        """Return the step of each row of float32 (rows, numbers) on `grid`; 0 for a row of zeros."""

    @abstractmethod
    def activation_range(self, stats: ActivationStats, bits: int) -> tuple[float, float]:
        """Return range_min and range_max."""

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the signed symmetric format, or at 1 bit the two levels -scale/2 and scale/2."""
        return ONE_BIT if bits == 1 else weight_uniform(bits)

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the unsigned format with a zero point."""
        return activation_uniform(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return (
            self.weights_reason(spec.weights.format)
            or self.activations_reason(spec.activations.format)
            or granularity_reason(self.name, spec, scales=True)
        )

    def weights_reason(self, number_format: NumberFormat) -> str | None:
        """Return why weights cannot have the format, or None."""
        if isinstance(number_format, Float32) or self.takes_weights(number_format):
            return None
        return f"{self.name}: cannot give weights the format {number_format}"

    def activations_reason(self, number_format: NumberFormat) -> str | None:
        """Return why activations cannot have the format, or None."""
        if isinstance(number_format, Float32) or self.takes_activations(number_format):
            return None
        return f"{self.name}: cannot give activations the format {number_format}"

    def takes_weights(self, number_format: NumberFormat) -> bool:
        """Return whether weights can have the format."""
        if not isinstance(number_format, Uniform):
            return False
        signed = number_format.signed and number_format.symmetric and number_format.bits > 1
        return signed or number_format == ONE_BIT

    def takes_activations(self, number_format: NumberFormat) -> bool:
        """Return whether activations can have the format."""
        return is_affine(number_format)

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return codes on the grid of `spec`, rounded to nearest."""
        refuse(self.weights_reason(spec.format))
        array = checked_weights(self.name, weights)
        grid = Grid.of_weights(spec.format)
        steps = per_slice(array, spec.granularity, lambda rows: self.steps(rows, grid))
        params = settled(array, symmetric_params(steps, spec))
        return QTensor(quantize(array, params), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the scale and zero point of `activation_range`; of 16 bits all that was seen: no clip gains there."""
        refuse(self.activations_reason(spec.format))
        bits = spec.format.bits
        seen = (stats.minimum, stats.maximum) if bits > _MOST_CLIPPED else self.activation_range(stats, bits)
        scale, zero_point = scale_and_zero(*seen, bits)
        return affine_params(scale, zero_point, spec)


def symmetric_params(steps: Doubles, spec: QuantSpec) -> QParams:
    """Return QParams of uniform weights: zero point 0, or 0.5 at 1 bit except in slices of zeros, which stay zero."""
    half = spec.format == ONE_BIT
    zero_point = np.where(half & (steps >= SMALLEST_SCALE), 0.5, 0.0).astype(np.float32)
    return QParams(spec, as_scale(steps), zero_point)
