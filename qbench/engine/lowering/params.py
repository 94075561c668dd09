"""Scales and zero points as numbers per channel.

With real = scale * (code - zero_point) on both sides:

out_code = sum((a - za) * (w - zw)) * sa * sw / so + bias / so + zo
= (acc + correction) * scale + (sum(a) + sum_correction) * shift + offset
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.engine.lowering.nodes import code_limits
from qbench.engine.lowering.numbers import NotIntegerError, Numbers
from qbench.graph.network import Layer
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.product import Product


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The containers around a layer; `out` None means float32 logits."""

    lhs: Container
    out: Container | None
    residual: Container | None = None


def channel_params(layer: Layer, numbers: Numbers, ends: Ends, product: Product) -> ChannelParams:
    """Return the parameters of a layer; raise NotIntegerError where its zero points have no kernel."""
    codes, out = numbers.codes, ends.out
    out_scale, out_zero = (out.scale, out.round_offset) if out else (1.0, 0.0)
    za = _lhs_zero(ends.lhs, product)
    step = ends.lhs.scale / 2 if product.is_binary else ends.lhs.scale
    flat = codes.reshape(len(codes), -1)
    sums = _sums(numbers)
    correction = -za * sums + (flat.shape[1] if product.is_binary else 0)
    own = numbers.scale[: len(sums)] if numbers.is_grouped else numbers.scale.reshape(-1)[-len(codes) :]
    scale = own * step / out_scale
    residual_scale = ends.residual.scale / out_scale if ends.residual else 1.0
    offset = layer.bias.astype(np.float64) / out_scale + out_zero
    if ends.residual:
        offset = offset - ends.residual.zero_point * residual_scale
    low, high = _limits(layer, out)
    shift, sum_correction = None, 0
    if numbers.sums:
        if codes.shape[3] % 4 and codes.shape[3] > 4:
            raise NotIntegerError(f"weights with a zero point need channels in fours, not {codes.shape[3]}")
        shift = (-numbers.zero * scale).astype(np.float32)
        sum_correction = -za * flat.shape[1]
    return ChannelParams(
        correction.astype(np.int32), scale.astype(np.float32), offset.astype(np.float32), shift, sum_correction,
        residual_scale, low, high, 4 * numbers.span if numbers.is_grouped else 0,
    )  # fmt: skip


def _sums(numbers: Numbers) -> npt.NDArray[np.int64]:
    """Return int64 sums of codes, (channels,), or (groups, channels) where scales are grouped."""
    flat = numbers.codes.reshape(len(numbers.codes), -1)
    if not numbers.is_grouped:
        return np.asarray(flat.sum(axis=1, dtype=np.int64))
    if numbers.sums:
        raise NotIntegerError("weights with a zero point per group have no integer kernel")
    return np.add.reduceat(flat, np.arange(0, flat.shape[1], 4 * numbers.span), axis=1, dtype=np.int64).T


def _lhs_zero(lhs: Container, product: Product) -> int:
    """Return the zero point in the codes that the product multiplies: -1, 1 or -1, 0, 1, else the container's."""
    zero = 2 * lhs.zero_point - 1 if product.is_binary else lhs.zero_point - int(product.is_ternary)
    if zero != round(zero):
        raise NotIntegerError(f"activations with a zero point of {zero:g} have no integer kernel for {product}")
    return int(zero)


def _limits(layer: Layer, out: Container | None) -> tuple[float, float]:
    """Return the clamp in output codes (or reals for float32 logits): the container's range within the activation's."""
    clamp = layer.activation
    if out is None:
        return (-np.inf, np.inf) if clamp is None else (clamp.low, clamp.high)
    return (0.0, float(out.high)) if clamp is None else code_limits(clamp, out)
