"""Non-linear quantization by any rising function and its inverse, with the textbook's floor; one is `log_floor`.

    q = floor((f(r) - f(r_min)) / (f(r_max) - f(r_min)) * (2**b - 1))
    real = inverse(f(r_min) + q / (2**b - 1) * (f(r_max) - f(r_min)))

Per tensor, levels are those reals themselves and scale is 1. Per channel and per group one table must serve all slices:
each slice is divided by its largest magnitude, and r_min and r_max are those of all the quotients together. For the
logarithm that means: every slice keeps its own r_max, and r_max / r_min is the widest that any slice has.

`log_floor` has positive numbers only. Networks' weights and activations hold signs and zeros; it refuses them and
names `log_floor_signed`. Two bits at least, as the format `Logarithmic` has.

Source: the definition of logarithmic quantization that qbench began with, to the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Logarithmic, NumberFormat
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, expand
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, slice_maximum
from qbench.methods.fitting.slices import Doubles

_NUDGE = 2.0**-20  # of a step: log(100) / log(1000) * 255 is 170, in float64 as well as on paper


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising function and its inverse, NumPy in and out; `positive` when it has no value at or below zero."""

    forward: Callable[[Doubles], Doubles]
    inverse: Callable[[Doubles], Doubles]
    positive: bool = False

    def codes(self, values: npt.ArrayLike, r_min: float, r_max: float, bits: int) -> npt.NDArray[np.int16]:
        """Return the floor codes of `values`, clipped to 0 .. 2**bits - 1; 0 where the range is empty."""
        low, span = self._ends(r_min, r_max)
        reach = self.forward(np.clip(np.asarray(values, dtype=np.float64), r_min, r_max)) - low
        steps = reach / (span or 1.0) * (2**bits - 1)
        return np.asarray(np.clip(np.floor(steps + _NUDGE), 0, 2**bits - 1), dtype=np.int16)

    def reals(self, codes: npt.ArrayLike, r_min: float, r_max: float, bits: int) -> Doubles:
        """Return what `codes` stand for."""
        low, span = self._ends(r_min, r_max)
        return self.inverse(low + np.asarray(codes) * (span / (2**bits - 1)))

    def _ends(self, r_min: float, r_max: float) -> tuple[float, float]:
        low, high = self.forward(np.array([r_min, r_max], dtype=np.float64))
        return float(low), float(high - low)


LOGARITHM = Curve(np.log, np.exp, positive=True)


class NonLinearFloor(LevelMethod):
    """Levels of a function's curve, rounded down.

    Args:
        name: the word in suites.
        curve: the function and its inverse.
        number_format: what `bits` means.
    """

    rounding = "floor"

    def __init__(self, name: str, curve: Curve, number_format: Callable[[int], NumberFormat]) -> None:
        self.name, self.curve, self._format = name, curve, number_format
        self.__doc__ = (
            f"Levels of a function's curve, rounded down, for {'positive' if curve.positive else 'all'} numbers."
        )

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the format that the method was made with."""
        return self._format(bits)

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table between the extremes."""
        self._check(float(weights.min()))
        if isinstance(spec.granularity, PerTensor):
            return self._params(spec, np.float32(1), float(weights.min()), float(weights.max()))
        scale = slice_maximum(weights, spec)
        unit = weights / expand(scale, weights.shape[1], spec.granularity)
        return self._params(spec, scale, float(unit.min()), float(unit.max()))

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table between the extremes."""
        self._check(stats.minimum)
        return self._params(spec, np.float32(1), stats.minimum, stats.maximum)

    def _check(self, minimum: float) -> None:
        if self.curve.positive and minimum <= 0:
            raise QBenchError(
                f"{self.name}: needs positive numbers, got {minimum:g}; log_floor_signed takes signs and zeros"
            )

    def _params(self, spec: QuantSpec, scale: npt.ArrayLike, r_min: float, r_max: float) -> QParams:
        bits = spec.format.bits
        levels = self.curve.reals(np.arange(2**bits), r_min, r_max, bits).astype(np.float32)
        return level_params(spec, scale, levels, rounding=self.rounding)


LOG_FLOOR = NonLinearFloor("log_floor", LOGARITHM, Logarithmic)
