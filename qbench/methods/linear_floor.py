"""`linear_floor`: the textbook definition, with its floor.

    step = (r_max - r_min) / (2**b - 1),   q = floor((r - r_min) / step),   real = q * step + r_min

Weights keep it to the letter: unsigned codes 0 .. 2**b - 1, zero_point = -r_min / step with its fraction (a float32,
good to 0.01 steps while |r_min| is below a thousand ranges). Floor errs by half a step on average: about 6 dB worse
than rounding. Activations: the range is widened to hold zero and the zero point is whole, so that padding and relu
stay exact; floor.

Source: the definition of linear quantization that qbench began with, to the letter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Float32, NumberFormat
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.affine import affine_params, scale_and_zero
from qbench.methods.fitting.slices import SMALLEST_SCALE, Doubles, checked_weights, per_slice
from qbench.methods.method import granularity_reason, is_affine, refuse

_NUDGE = 2.0**-10  # of a step: a number that is a code's own real, but for float32 rounding, keeps that code


def linear_codes(values: npt.ArrayLike, r_min: npt.ArrayLike, r_max: npt.ArrayLike, bits: int) -> npt.NDArray[np.int16]:
    """Return q = floor((r - r_min) / step), clipped to 0 .. 2**bits - 1; 0 where the range is empty."""
    low = np.asarray(r_min, dtype=np.float64)
    step = linear_step(r_min, r_max, bits)
    steps = (np.asarray(values, dtype=np.float64) - low) / np.where(step > 0, step, 1.0)
    return np.clip(np.floor(steps + _NUDGE), 0, 2**bits - 1).astype(np.int16)


def linear_reals(codes: npt.ArrayLike, r_min: npt.ArrayLike, r_max: npt.ArrayLike, bits: int) -> Doubles:
    """Return q * step + r_min."""
    low = np.asarray(r_min, dtype=np.float64)
    return np.asarray(np.asarray(codes) * linear_step(r_min, r_max, bits) + low)


def linear_step(r_min: npt.ArrayLike, r_max: npt.ArrayLike, bits: int) -> Doubles:
    """Return (r_max - r_min) / (2**bits - 1)."""
    return np.asarray((np.asarray(r_max, np.float64) - np.asarray(r_min, np.float64)) / (2**bits - 1))


class LinearFloor:
    """Equal steps, rounded down, as in textbooks."""

    name = "linear_floor"
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
            self.format_reason(spec.weights.format)
            or self.format_reason(spec.activations.format)
            or granularity_reason(self.name, spec)
        )

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why neither weights nor activations can have the format, or None."""
        if isinstance(number_format, Float32) or is_affine(number_format):
            return None
        return f"{self.name}: codes are unsigned with a zero point, not in the format {number_format}"

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return the floor codes of each slice between its own minimum and maximum."""
        refuse(self.format_reason(spec.format))
        array, bits = checked_weights(self.name, weights), spec.format.bits
        low = per_slice(array, spec.granularity, lambda rows: rows.min(axis=1).astype(np.float64))
        high = per_slice(array, spec.granularity, lambda rows: rows.max(axis=1).astype(np.float64))
        step = linear_step(low, high, bits)
        high = np.where(step < SMALLEST_SCALE, low, high)  # one number repeated: code 0 is r_min itself
        scale = np.where(step < SMALLEST_SCALE, 1.0, step).astype(np.float32)
        params = QParams(spec, scale, (-low / scale).astype(np.float32), rounding="floor")
        depth, granularity = array.shape[1], spec.granularity
        ends = [expand(end.astype(np.float32), depth, granularity) for end in (low, high)]
        return QTensor(linear_codes(array, ends[0], ends[1], bits), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the scale and whole zero point of [minimum, maximum], widened to hold zero, with floor rounding."""
        refuse(self.format_reason(spec.format))
        scale, zero_point = scale_and_zero(stats.minimum, stats.maximum, spec.format.bits)
        return affine_params(scale, zero_point, spec, rounding="floor")


LINEAR_FLOOR = LinearFloor()
