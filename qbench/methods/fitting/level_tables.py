"""What all methods on free levels share: formats, refusals, tables of levels, and scales fitted to a table.

real = scale * levels[code]. One table serves the tensor; each slice has its own scale. Uniform, ternary and binary
activations are taken from `mse`. Tables ascend and have 2**bits entries: spare ones repeat the lowest level at the
start, and only the last of the repeats is ever produced (the law, `qbench.methods.law`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Float32, NumberFormat, Ternary, Uniform
from qbench.core.spec import LayerSpec, QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.scales import settled, slice_errors, slice_sums
from qbench.methods.fitting.slices import (
    SMALLEST_SCALE,
    Doubles,
    absolute_maximum,
    as_scale,
    checked_weights,
    per_slice,
)
from qbench.methods.law import quantize
from qbench.methods.method import granularity_reason, mse_activation_reason, refuse
from qbench.methods.mse import MSE


class LevelMethod(ABC):
    """A method that chooses a table of levels for a tensor and a scale for each slice."""

    name: str
    version: int = 1
    rounding: str = "nearest"

    @abstractmethod
    def weight_format(self, bits: int) -> NumberFormat:
        """Return what `bits` means for weights."""

    @abstractmethod
    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table and the scales of finite weights."""

    @abstractmethod
    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table and the scale of an observed tensor."""

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the same format as for weights."""
        return self.weight_format(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return (
            self.format_reason(spec.weights.format)
            or self.activations_reason(spec.activations.format)
            or granularity_reason(self.name, spec, scales=True)
        )

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32) or number_format == self.weight_format(max(number_format.bits, 2)):
            return None
        return f"{self.name}: makes {type(self.weight_format(4)).__name__} numbers, not the format {number_format}"

    def activations_reason(self, number_format: NumberFormat) -> str | None:
        """Return why activations cannot have the format, or None."""
        if isinstance(number_format, Uniform | Ternary | Binary):
            return mse_activation_reason(self.name, number_format)
        return self.format_reason(number_format)

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return the codes of the fitted table."""
        refuse(self.format_reason(spec.format))
        array = checked_weights(self.name, weights)
        params = settled(array, self.fit_weights(array, spec))
        return QTensor(quantize(array, params), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the fitted table, or the parameters of `mse` for uniform, ternary and binary activations."""
        refuse(self.activations_reason(spec.format))
        if isinstance(spec.format, Uniform | Ternary | Binary):
            return MSE.activation_params(stats, spec)
        return self.fit_activations(stats, spec)


def full_table(levels: npt.ArrayLike, bits: int) -> Floats:
    """Return float32 levels in order, without repeats, filled up to 2**bits by repeating the lowest at the start."""
    distinct = np.unique(np.asarray(levels, dtype=np.float32))
    spare = 2**bits - distinct.size
    return np.concatenate((np.full(spare, distinct[0], dtype=np.float32), distinct))


def signed_table(magnitudes: npt.ArrayLike, bits: int) -> Floats:
    """Return the table of zero and +-`magnitudes`."""
    size = np.asarray(magnitudes, dtype=np.float64)
    return full_table(np.concatenate((-size, [0.0], size)), bits)


def level_params(spec: QuantSpec, scale: npt.ArrayLike, levels: Floats, *, rounding: str = "nearest") -> QParams:
    """Return QParams of levels, which have no zero point; a scale has at least the smallest reciprocal in float32."""
    scales = np.maximum(np.asarray(scale, dtype=np.float32), np.float32(SMALLEST_SCALE))
    return QParams(spec, scales, np.zeros_like(scales), levels, rounding)


def slice_maximum(weights: Floats, spec: QuantSpec) -> Floats:
    """Return max |w| of each slice as a scale; 1 for a slice of zeros."""
    return as_scale(per_slice(weights, spec.granularity, absolute_maximum))


def refined_scales(weights: Floats, params: QParams, *, rounds: int = 2) -> QParams:
    """Return the parameters with the scale of each slice fitted to its codes by least squares, where that helps."""
    assert params.levels is not None
    levels = params.levels
    depth, granularity = weights.shape[1], params.spec.granularity
    best, least = params, slice_errors(weights, params)
    for _ in range(rounds):
        unit = levels[quantize(weights, best)]
        # in units of the scale, so that squares of 1e-30 or 1e30 stay inside float32
        ratio = weights / expand(best.scale, depth, granularity)
        power = slice_sums(unit * unit, params)
        gain = slice_sums(ratio * unit, params) / np.where(power > 0, power, 1.0)
        tried = level_params(params.spec, np.where(gain > 0, best.scale * gain, best.scale), levels)
        error = slice_errors(weights, tried)
        best = level_params(params.spec, np.where(error < least, tried.scale, best.scale), levels)
        least = np.minimum(error, least)
    return best


def searched_scales(
    weights: Floats, spec: QuantSpec, levels: Floats, shares: Doubles, nearest: Callable[[Floats], Floats]
) -> QParams:
    """Return QParams of a table, with the scale of each slice that leaves the least squared error.

    Args:
        weights: finite float32 (channels, depth).
        spec: format and granularity.
        levels: the table, ascending to the largest magnitude.
        shares: of the scale that covers a slice's largest magnitude, those that are tried.
        nearest: the level nearest to each number >= 0, both in units of the largest level.
    """
    cover = slice_maximum(weights, spec)
    unit = np.abs(weights / expand(cover, weights.shape[1], spec.granularity))
    best, least = np.ones_like(cover), np.full(cover.shape, np.inf)
    trial = level_params(spec, best, levels)
    for share in shares.astype(np.float32):
        error = slice_sums(np.square(nearest(unit / share) * share - unit), trial)
        best, least = np.where(error < least, share, best), np.minimum(error, least)
    return refined_scales(weights, level_params(spec, cover * best / levels[-1], levels))
