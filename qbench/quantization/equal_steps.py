"""Weights on equal steps, as positions among their codes: what learned and random roundings start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Float32, Ternary, Uniform
from qbench.core.granularity import ScaledGroup
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.methods import fake_quantize


def equal_steps_reason(name: str, spec: QuantSpec) -> str | None:
    """Return why a stage that moves codes up or down by one cannot do weights of `spec`, or None."""
    if isinstance(spec.format, Float32 | Uniform | Ternary):
        return None
    return f"{name}: weights need equal steps to be rounded up or down on, not the format {spec.format}"


def moved_steps_reason(name: str, spec: QuantSpec) -> str | None:
    """Return why a stage that moves scales cannot do weights of `spec`, or None."""
    if isinstance(spec.granularity, ScaledGroup):
        return f"{name}: scales of '{spec.granularity.token}' are kept in few bits and cannot be moved"
    return None


def is_on_grid(rows: Floats, params: QParams) -> bool:
    """Return whether every weight is what some code stands for, so that nothing is left to be rounded."""
    return np.array_equal(fake_quantize(rows, params), rows)


@dataclass(frozen=True, slots=True, eq=False)
class EqualSteps:
    """Codes low .. high of a layer with equal steps; scale and zero point broadcast to (channels, depth)."""

    params: QParams
    scale: Floats
    zero_point: Floats
    low: int
    high: int

    @classmethod
    def of(cls, params: QParams, depth: int) -> Self:
        """Return the steps of a layer; raise ValueError where they are not equal."""
        number_format = params.spec.format
        if not isinstance(number_format, Uniform | Ternary):
            raise ValueError(f"{number_format} has no equal steps")
        grain = params.spec.granularity
        scale, zero = (expand(values, depth, grain) for values in (params.scale, params.zero_point))
        return cls(params, scale, zero, number_format.qmin, number_format.qmax)

    def places(self, rows: Floats) -> Floats:
        """Return where numbers (channels, depth) lie among the codes, not rounded."""
        return np.asarray(rows * (np.float32(1) / self.scale) + self.zero_point, np.float32)

    def reals(self, codes: npt.NDArray[np.floating]) -> Floats:
        """Return what codes stand for, whole or not."""
        return np.asarray((codes - self.zero_point) * self.scale, np.float32)

    def tensor(self, codes: npt.NDArray[np.floating]) -> QTensor:
        """Return whole codes, clipped to those that there are."""
        return QTensor(np.clip(codes, self.low, self.high).astype(np.int16), self.params)
