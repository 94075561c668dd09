"""How quantized activations are kept: unsigned bytes, or two for 16 bits, real = scale * (code - zero_point)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qbench.core.formats import Binary, Ternary, Uniform
from qbench.core.granularity import Dynamic
from qbench.core.tensor import Floats, QParams

BYTE = 255
"""The highest code of a byte."""


@dataclass(frozen=True, slots=True)
class Container:
    """Codes 0..high in a byte. Binary codes -1, 1 are kept as 0, 1 and ternary ones -1, 0, 1 as 0, 1, 2.

    A real becomes code = round(real / scale + zero_point + shift), where `floor` says how to round.
    """

    scale: float
    zero_point: float
    high: int
    floor: bool
    shift: float = 0.0

    @property
    def round_offset(self) -> float:
        """What is added to real / scale before rounding: the zero point, and a half for binary's sign rule."""
        return self.zero_point + self.shift

    @property
    def inverse_scale(self) -> float:
        """1 / scale, rounded to float32 once."""
        return float(np.float32(1.0) / np.float32(self.scale))

    @property
    def is_wide(self) -> bool:
        """Whether codes take two bytes."""
        return self.high > BYTE

    @property
    def halves(self) -> tuple[Container, Container]:
        """The containers of the high and the low bytes: their reals add up to those of the codes.

        With code = 256 h + l and zero_point = 256 zh + zl it is scale * (code - zero_point) = 256 scale * (h - zh) +
        scale * (l - zl).
        """
        high, low = divmod(int(self.zero_point), BYTE + 1)
        return Container((BYTE + 1) * self.scale, high, BYTE, self.floor), Container(self.scale, low, BYTE, self.floor)

    @property
    def pad_code(self) -> int:
        """The code of real 0, or the nearest above it where 0 has none (signed binary: +1, as other tools pad)."""
        return int(np.clip(np.floor(self.zero_point + 0.5), 0, self.high))


def container_of(params: QParams) -> Container | None:
    """Return the container of a tensor's parameters, or None when its levels are not uniform."""
    kind = params.spec.format
    if (
        params.scale.ndim
        or isinstance(params.spec.granularity, Dynamic)
        or not isinstance(kind, Uniform | Ternary | Binary)
    ):
        return None
    scale, zero, floor = float(params.scale), float(params.zero_point), params.rounding == "floor"
    if isinstance(kind, Binary):
        return Container(2 * scale, (zero + 1) / 2, 1, floor=True, shift=0.5)
    if isinstance(kind, Ternary):
        return Container(scale, zero + 1, 2, floor)
    return Container(scale, zero - kind.qmin, kind.qmax - kind.qmin, floor)


def level_thresholds(params: QParams) -> tuple[Floats, Floats]:
    """Return (thresholds, reals): x becomes reals[i] where thresholds[i-1] < x <= thresholds[i].

    Nearest levels have their middles between them. Floor rounds magnitudes down: a level holds from itself outwards.
    """
    if params.levels is None:
        raise ValueError("uniform parameters have no levels")
    reals: Floats = (params.levels * params.scale).astype(np.float32)
    low, high = reals[:-1], reals[1:]
    if params.rounding == "floor":
        thresholds = np.where(high > 0, np.nextafter(high, np.float32(-np.inf)), low)
    else:
        thresholds = (high + low) * np.float32(0.5)
    return thresholds.astype(np.float32), reals
