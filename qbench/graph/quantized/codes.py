"""Quantized numbers as ONNX files hold them, and what they become: QTensors of layers, QParams of tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Uniform
from qbench.core.granularity import Granularity, PerChannel, PerGroup, PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import QParams, QTensor
from qbench.errors import ModelError
from qbench.graph.nodes import Conv, Floats, Layer
from qbench.graph.weights import depth_order

Ints = npt.NDArray[np.int64]

RANGES: dict[str, tuple[int, bool]] = {
    "uint8": (8, False), "int8": (8, True), "uint4": (4, False), "int4": (4, True), "uint2": (2, False),
    "int2": (2, True),
}  # fmt: skip
"""Name of a type of codes -> bits, signed."""

WIDE: dict[str, tuple[int, int]] = {"uint16": (0, 65535), "int16": (-32768, 32767)}
"""Name of a type of codes that no integer kernel takes -> its lowest and highest code. They run in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A constant of codes: real = scale * (code - zero_point).

    Args:
        kind: name of the type, e.g. `int8`, `uint4`, `int32`.
        values: the codes, widened.
        scale: scalar, (size of axis,), or as many dimensions as the codes where blocks share one.
        zero_point: of the shape of `scale`.
        axis: the axis that `scale` belongs to, or that blocks run along.
        block: numbers of a block along `axis`, 0 without blocks.
    """

    kind: str
    values: Ints
    scale: Floats
    zero_point: Floats
    axis: int = 0
    block: int = 0

    def __post_init__(self) -> None:
        if self.scale.size > 1 and not self.block and self.values.shape[self.axis : self.axis + 1] != self.scale.shape:
            raise ModelError(f"scales {self.scale.shape} do not fit axis {self.axis} of codes {self.values.shape}")

    def real(self) -> Floats:
        """Return what the codes stand for, in float32, as DequantizeLinear computes it."""
        scale, zero = (self._spread(values) for values in (self.scale, self.zero_point))
        return ((self.values.astype(np.float32) - zero) * scale).astype(np.float32)

    def _spread(self, values: Floats) -> Floats:
        if self.block:
            return np.repeat(values, self.block, axis=self.axis).take(
                np.arange(self.values.shape[self.axis]), axis=self.axis
            )
        return values.reshape(-1, *[1] * (self.values.ndim - 1 - self.axis)) if values.ndim else values

    def turned(self) -> Codes:
        """Return a matrix of codes transposed."""
        return Codes(self.kind, self.values.T, self.scale.T, self.zero_point.T, 1 - self.axis, self.block)


def uniform(kind: str, what: str) -> Uniform:
    """Return the format of a type of codes; ModelError where it has none of at most 8 bits."""
    if kind not in RANGES:
        raise ModelError(f"{what}: expected codes of at most 8 bits, got {kind}")
    bits, signed = RANGES[kind]
    return Uniform(bits, signed=signed, symmetric=False)


def tensor_params(kind: str, scale: Floats, zero_point: Floats, what: str) -> QParams:
    """Return the parameters of an activation: one scale, at most 8 bits."""
    if scale.size != 1 or zero_point.size != 1 or not (np.isfinite(scale).all() and scale.reshape(-1)[0] > 0):
        raise ModelError(f"{what}: expected one scale above 0, got {scale.size} of them")
    spec = QuantSpec(uniform(kind, what), PerTensor())
    return QParams(spec, scale.reshape(()).astype(np.float32), zero_point.reshape(()).astype(np.float32))


def clipped(params: QParams, low: float, high: float) -> QParams:
    """Return parameters of fewer bits, where a Clip of the codes says so; ModelError for a range that no bits have."""
    kind = params.spec.format
    assert isinstance(kind, Uniform)
    low, high = max(low, kind.qmin), min(high, kind.qmax)
    for bits in range(1, kind.bits + 1):
        for narrow in (False, True) if kind.signed and bits > 1 else (False,):
            found = Uniform(bits, signed=kind.signed, symmetric=kind.symmetric, narrow=narrow)
            if (found.qmin, found.qmax) == (low, high):
                return QParams(QuantSpec(found, params.spec.granularity), params.scale, params.zero_point)
    raise ModelError(f"codes are clipped to {low:g}..{high:g}, which is no range of {kind.bits} bits or fewer")


def layer_codes(layer: Layer, given: Codes) -> QTensor | None:
    """Return a layer's weights as a QTensor, None where its numbers are not (any more) those of the codes.

    So it is where they have more than 8 bits.
    """
    if given.kind not in RANGES:
        return None
    for codes in (given, given.turned()) if given.values.ndim == 2 else (given,):
        if codes.values.shape == layer.weight.shape and np.array_equal(codes.real(), layer.weight):
            return _as_tensor(layer, codes)
    return None


def _as_tensor(layer: Layer, codes: Codes) -> QTensor | None:
    granularity, scale, zero = _granular(layer, codes)
    if granularity is None:
        return None
    kind = uniform(codes.kind, f"layer '{layer.name}'")
    values = depth_order(layer, codes.values)
    if isinstance(layer, Conv) and layer.groups > 1 and zero.any():
        kind, values, zero = _around_zero(kind, values, zero)
    symmetric = kind.signed and not zero.any()
    narrow = symmetric and kind.bits == 8 and int(values.min()) >= -127
    flat = values.reshape(len(values), -1).astype(np.int16)
    spec = QuantSpec(Uniform(kind.bits, signed=kind.signed, symmetric=symmetric, narrow=narrow), granularity)
    return QTensor(flat, QParams(spec, scale, zero))


def _around_zero(kind: Uniform, values: Ints, zero: Floats) -> tuple[Uniform, Ints, Floats]:
    """Return the codes of the same reals whose zero points are 0, as they are where those need more than 8 bits.

    Windows of few channels have no product of their own for what a zero point adds.
    """
    shifted = values - zero.astype(np.int64).reshape(-1, *[1] * (values.ndim - 1) if zero.ndim else ())
    for bits in range(kind.bits, 9):
        if shifted.min() >= -(2 ** (bits - 1)) and shifted.max() < 2 ** (bits - 1):
            return Uniform(bits, signed=True), shifted, np.zeros_like(zero)
    return kind, values, zero


def _granular(layer: Layer, codes: Codes) -> tuple[Granularity | None, Floats, Floats]:
    """Return how a layer's codes share scales; None where they share them in a way that qbench's layers cannot."""
    scale, zero = (v.astype(np.float32) for v in (codes.scale, codes.zero_point))
    if codes.block:
        along_depth = codes.axis == 1 and (not isinstance(layer, Conv) or layer.weight.shape[2:] == (1, 1))
        if not along_depth or codes.block % 16:
            return None, scale, zero
        shape = (len(layer.weight), -1)
        return PerGroup(codes.block), scale.reshape(shape), zero.reshape(shape)
    if scale.size == 1:
        return PerTensor(), scale.reshape(()), zero.reshape(())
    return (PerChannel() if codes.axis == 0 else None), scale, zero
