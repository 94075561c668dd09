"""A layer's weights as kernels see them: s8 codes of a dense window, with each channel's scales and zero points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.facts import format_name
from qbench.core.formats import Binary, NumberFormat, Ternary, Uniform
from qbench.core.granularity import PerGroup
from qbench.core.tensor import QTensor
from qbench.engine.windows import dense_ohwi
from qbench.graph.network import Conv, Layer
from qbench.kernels.conv.operation import MAX_DEPTH

Ints = npt.NDArray[np.int16]
Doubles = npt.NDArray[np.float64]
S8_MAX = 127


class NotIntegerError(Exception):
    """A layer cannot run in integers; the message is the reason that its row shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Weights of one layer.

    Args:
        codes: s8 codes, OHWI; those of a grouped convolution with zeros for what a group does not see, or, where each
            channel has a window of its own, (channels, kh, kw, 1).
        kind: their number format.
        scale: (channels,), or (groups, channels) where the depth has groups of scales.
        zero: zero points, likewise.
        span: k-groups that share a scale: all of them where scales are not grouped.
    """

    codes: Ints
    kind: NumberFormat
    scale: Doubles
    zero: Doubles
    span: int

    @property
    def k_groups(self) -> int:
        """K-groups of four numbers in the depth."""
        return k_groups_of(self.codes)

    @property
    def is_grouped(self) -> bool:
        """Whether groups of the depth have scales of their own."""
        return self.span < self.k_groups

    @property
    def sums(self) -> bool:
        """Whether the rows' sums are needed, since a code of zero is not 0."""
        return bool(np.any(self.zero))


def k_groups_of(codes: Ints) -> int:
    """Return the k-groups of OHWI codes."""
    return int(codes.shape[1] * codes.shape[2] * -(-codes.shape[3] // 4))


def numbers_of(layer: Layer, weights: QTensor) -> Numbers:
    """Return a layer's weights as a dense window; raise NotIntegerError with the reason when it has no integer form."""
    flat, zero = s8_codes(weights)
    if flat.shape[1] > MAX_DEPTH:
        raise NotIntegerError(f"depth {flat.shape[1]} can overflow 32-bit sums (limit {MAX_DEPTH})")
    kind = weights.spec.format
    if isinstance(layer, Conv) and layer.groups > 1 and (isinstance(kind, Binary) or np.any(zero)):
        raise NotIntegerError("grouped convolutions need a weight code that means 0")
    codes = dense_ohwi(layer, flat)
    scale, zeros = (_grid(values, weights, len(codes)) for values in (weights.params.scale, zero))
    return Numbers(codes, kind, scale, zeros, _span(layer, weights, codes))


def numbers_alone(layer: Conv, weights: QTensor) -> Numbers | None:
    """Return the weights of windows on one channel each, None where they have zero points or groups of scales."""
    flat, zero = s8_codes(weights)
    if np.any(zero) or isinstance(weights.spec.granularity, PerGroup):
        return None
    codes = flat.reshape(len(flat), *layer.weight.shape[2:], 1)
    scale, zeros = (_grid(values, weights, len(codes)) for values in (weights.params.scale, zero))
    return Numbers(codes, weights.spec.format, scale, zeros, k_groups_of(codes))


def s8_codes(weights: QTensor) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Return codes within -128..127 and their zero points; raise NotIntegerError when there are none."""
    params, kind = weights.params, weights.spec.format
    if params.levels is not None:
        return _whole_levels(params.levels, format_name(kind), kind.bits)[weights.codes], params.zero_point
    if not isinstance(kind, Uniform | Ternary | Binary):
        raise NotIntegerError(f"{type(kind).__name__} weights have levels that are no whole numbers")
    shift = (kind.qmax + 1) // 2 if kind.qmin >= 0 and isinstance(kind, Uniform) else 0
    if not shift:
        return weights.codes, params.zero_point
    return (weights.codes - shift).astype(np.int16), (params.zero_point - np.float32(shift)).astype(np.float32)


def _whole_levels(levels: npt.NDArray[np.float32], name: str, bits: int) -> Ints:
    """Return levels as whole numbers; raise NotIntegerError where they are none, or none that fit a byte."""
    largest = np.abs(levels).max()
    if np.any(np.rint(levels) != levels):
        raise NotIntegerError(f"{bits}-bit {name} weights have levels that are no whole numbers")
    if largest > S8_MAX:
        raise NotIntegerError(f"{bits}-bit {name} weights have levels up to {largest:g}, beyond s8")
    return levels.astype(np.int16)


def _grid(values: npt.NDArray[np.float32], weights: QTensor, channels: int) -> Doubles:
    """Return per-tensor or per-channel values as (channels,), per-group ones as (groups, channels)."""
    if isinstance(weights.spec.granularity, PerGroup):
        return values.T.astype(np.float64)
    return np.broadcast_to(values, (channels,)).astype(np.float64)


def _span(layer: Layer, weights: QTensor, codes: Ints) -> int:
    """Return the k-groups that share a scale."""
    granularity = weights.spec.granularity
    if not isinstance(granularity, PerGroup) or granularity.group_size >= weights.codes.shape[1]:
        return k_groups_of(codes)
    if codes.shape[3] % 4 or (isinstance(layer, Conv) and layer.groups > 1):
        raise NotIntegerError(
            f"groups of {granularity.group_size} do not end at whole k-groups of {codes.shape[3]} channels"
        )
    return granularity.group_size // 4
