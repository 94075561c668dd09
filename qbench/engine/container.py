"""How quantized activations are kept: unsigned bytes, whatever their format, with real = scale * (code - zero_point)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.tensor import QParams


@dataclass(frozen=True, slots=True)
class Container:
    """Codes 0..high in a byte. Binary codes -1, 1 are kept as 0, 1 and ternary ones -1, 0, 1 as 0, 1, 2."""

    scale: float
    zero_point: float
    high: int
    floor: bool

    @property
    def inverse_scale(self) -> float:
        """1 / scale, rounded to float32 once."""
        return float(np.float32(1.0) / np.float32(self.scale))

    @property
    def pad_code(self) -> int:
        """The code of real 0, or the nearest above it where 0 has none (signed binary: +1, as other tools pad)."""
        return int(np.clip(np.floor(self.zero_point + 0.5), 0, self.high))


def container_of(params: QParams) -> Container | None:
    """Return the container of a tensor's parameters, or None when its levels are not uniform."""
    kind = params.spec.format
    if params.scale.ndim or not isinstance(kind, Uniform | Ternary | Binary):
        return None
    scale, zero, floor = float(params.scale), float(params.zero_point), params.rounding == "floor"
    if isinstance(kind, Binary):
        return Container(2 * scale, (zero + 1) / 2, 1, floor)
    if isinstance(kind, Ternary):
        return Container(scale, zero + 1, 2, floor)
    return Container(scale, zero - kind.qmin, kind.qmax - kind.qmin, floor)
