"""Quantized tensors: codes and the parameters that give them their meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Codebook, Logarithmic, PowerOfTwo, theoretical_bits
from qbench.core.granularity import Granularity, PerChannel, PerGroup, scale_bytes
from qbench.core.spec import QuantSpec

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class QParams:
    """What codes mean: real = scale * (code - zero_point), or real = scale * levels[code] for non-uniform formats.

    `scale` and `zero_point` are float32 of shape () per tensor, (channels,) per channel, (channels, groups) per group.
    A zero point is a whole number wherever the method can give one; `linear_floor` weights keep a fraction.
    `levels` is float32 of shape (2**bits,), ascending, for non-uniform formats, else None.
    """

    spec: QuantSpec
    scale: Floats
    zero_point: Floats
    levels: Floats | None = None
    rounding: str = "nearest"  # or "floor"

    def __post_init__(self) -> None:
        if self.scale.shape != self.zero_point.shape:
            raise ValueError(f"scale {self.scale.shape} and zero_point {self.zero_point.shape} differ in shape")
        if (self.levels is not None) != isinstance(self.spec.format, PowerOfTwo | Logarithmic | Codebook):
            raise ValueError("levels belong to non-uniform formats only")


@dataclass(frozen=True, slots=True, eq=False)
class QTensor:
    """Weights as codes: int16 of shape (channels, depth), row-major OHWI for convolutions, (n, k) for products.

    int16 holds every format's codes (signed uniform, unsigned 0..255 of `linear_floor`, indices into levels).
    """

    codes: npt.NDArray[np.int16]
    params: QParams

    @property
    def spec(self) -> QuantSpec:
        """The format and granularity."""
        return self.params.spec

    def dequantize(self) -> Floats:
        """Return float32 reals of shape (channels, depth)."""
        scale, zero = (
            expand(v, self.codes.shape[1], self.spec.granularity) for v in (self.params.scale, self.params.zero_point)
        )
        if self.params.levels is not None:
            return (self.params.levels[self.codes] * scale).astype(np.float32)
        return ((self.codes.astype(np.float32) - zero) * scale).astype(np.float32)

    @property
    def packed_bytes(self) -> int:
        """Bytes on disk: codes at their width, all levels of scales, zero points (a byte) unless all are 0, levels.

        A scale is float32 unless the granularity says otherwise; levels that the format's name says take no place.
        """
        codes = -(-self.codes.size * self.spec.format.bits // 8)
        zeros = self.params.zero_point.size if np.any(self.params.zero_point) else 0
        kind, levels = self.spec.format, 0
        if self.params.levels is not None and not (isinstance(kind, Codebook) and kind.is_fixed):
            levels = 4 * self.params.levels.size
        return codes + scale_bytes(self.spec.granularity, self.params.scale.shape) + zeros + levels

    @property
    def theoretical_bits(self) -> float:
        """Bits of information in the codes, without scales and zero points."""
        return self.codes.size * theoretical_bits(self.spec.format)


def expand(values: Floats, depth: int, granularity: Granularity) -> Floats:
    """Return values of shape (), (channels,) or (channels, groups) so that they broadcast to (channels, depth)."""
    if isinstance(granularity, PerGroup):
        return np.repeat(values, granularity.group_size, axis=1)[:, :depth]
    return values[:, None] if isinstance(granularity, PerChannel) else values
