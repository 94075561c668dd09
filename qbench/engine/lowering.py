"""From quantized weights and activations to what a kernel takes: product, packed codes and per-channel numbers.

The folding of scales and zero points, with real = scale * (code - zero_point) on both sides:

    out_code = sum((a - za) * (w - zw)) * sa * sw / so + bias / so + zo
             = (acc + correction) * scale + (sum(a) + sum_correction) * shift + offset
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, PowerOfTwo, Ternary, Uniform
from qbench.core.granularity import PerGroup
from qbench.core.tensor import QTensor
from qbench.engine.container import Container
from qbench.engine.windows import dense_ohwi, has_own_windows
from qbench.graph.network import Conv, Layer
from qbench.kernels.conv.job import Weights
from qbench.kernels.conv.operation import MAX_DEPTH
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.epilogue import Words
from qbench.kernels.product import B1_B1, T2_T2, U8_S8, Product, parse_product
from qbench.kernels.variants import dot_of

Ints = npt.NDArray[np.int16]
S8_MAX = 127
S8_BITS = 8
TABLE_LEVELS = 16
MOST_PLANES = 4
"""Bits of weights times bits of activations up to which bit planes beat int8 (1.28 times at 2 by 2)."""


class NotIntegerError(Exception):
    """A layer cannot run in integers; the message is the reason that its row shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """What kernels are asked for. `codes` are s8 values, or indices into `values`, as OHWI."""

    product: Product
    words: Words
    codes: npt.NDArray[Any]
    values: npt.NDArray[np.int8] | None
    params: ChannelParams

    @property
    def weights(self) -> Weights:
        """What kernels multiply by."""
        return Weights(self.codes, self.params, self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The containers around a layer; `out` None means float32 logits."""

    lhs: Container
    out: Container | None
    residual: Container | None = None


def s8_codes(weights: QTensor) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Return codes within -128..127 and their zero points; raise NotIntegerError when there are none."""
    params, kind = weights.params, weights.spec.format
    if isinstance(kind, PowerOfTwo) and params.levels is not None:
        levels = params.levels.astype(np.int64)
        if np.abs(levels).max() > S8_MAX:
            raise NotIntegerError(f"{kind.bits}-bit powers of two reach {np.abs(levels).max()}, beyond s8")
        return levels[weights.codes].astype(np.int16), params.zero_point
    if not isinstance(kind, Uniform | Ternary | Binary):
        raise NotIntegerError(f"{type(kind).__name__} weights have levels that are no whole numbers")
    shift = (kind.qmax + 1) // 2 if kind.qmin >= 0 and isinstance(kind, Uniform) else 0
    if not shift:
        return weights.codes, params.zero_point
    return (weights.codes - shift).astype(np.int16), (params.zero_point - np.float32(shift)).astype(np.float32)


def product_for(
    codes: Ints, channels_in: int, lhs_high: int, span: int, kind: object, *, sums: bool, counts: bool = True
) -> tuple[Product, npt.NDArray[np.int8] | None]:
    """Return the product for weights of these codes, and the levels of a table product.

    Args:
        codes: s8 codes, OHWI.
        channels_in: channels of the lhs.
        lhs_high: the highest lhs code: 1 marks binary activations.
        span: k-groups that share a scale (all of them when not grouped), which packed sets must divide.
        kind: the weights' number format.
        sums: whether the rows' sums are needed, which padding k-groups would spoil.
        counts: whether bits are counted sooner than bytes of few bits are multiplied (see `counts_bits`).
    """
    if isinstance(kind, Binary) and lhs_high == 1:
        return B1_B1, None
    if counts and isinstance(kind, Ternary | Binary) and lhs_high == 2:
        return T2_T2, None
    groups = codes.shape[1] * codes.shape[2] * -(-channels_in // 4)
    low, high = (int(codes.min(initial=0)), int(codes.max(initial=0)))
    bits = 2 if isinstance(kind, Ternary | Binary) else max((-low - 1).bit_length(), high.bit_length()) + 1
    planes = bits * lhs_high.bit_length()
    if counts and planes <= MOST_PLANES and channels_in % 32 == 0 and span == groups and not sums:
        return parse_product(f"p{lhs_high.bit_length()}_p{bits}"), None
    if isinstance(kind, Binary) and span == groups and not sums and channels_in % 4 == 0 and (-groups % 8) % 2 == 0:
        return parse_product("u8_t1"), np.array([-1, 1], np.int8)
    if isinstance(kind, PowerOfTwo) and _whole(2, span, groups, sums=sums):
        levels = np.union1d(codes, [0]).astype(np.int8)
        if len(levels) <= TABLE_LEVELS:
            return parse_product("u8_t4"), levels
    for width in range(bits, S8_BITS):
        if _whole(8 // (width & -width), span, groups, sums=sums):
            return parse_product(f"u8_s{width}"), None
    return U8_S8, None


def _whole(planes: int, span: int, groups: int, *, sums: bool) -> bool:
    """Whether packed sets of `planes` k-groups end where scales do, and the depth where sums are taken."""
    return not ((span < groups and span % planes) or (sums and groups % planes))


def _grid(values: npt.NDArray[np.float32], weights: QTensor, channels: int) -> npt.NDArray[np.float64]:
    """Return per-tensor or per-channel values as (channels,), per-group ones as (groups, channels)."""
    if isinstance(weights.spec.granularity, PerGroup):
        return values.T.astype(np.float64)
    return np.broadcast_to(values, (channels,)).astype(np.float64)


def _span(layer: Layer, weights: QTensor, codes: Ints) -> int:
    """Return the k-groups that share a scale."""
    everything = int(codes.shape[1] * codes.shape[2] * -(-codes.shape[3] // 4))
    granularity = weights.spec.granularity
    if not isinstance(granularity, PerGroup) or granularity.group_size >= weights.codes.shape[1]:
        return everything
    if codes.shape[3] % 4 or (isinstance(layer, Conv) and layer.groups > 1):
        raise NotIntegerError(
            f"groups of {granularity.group_size} do not end at whole k-groups of {codes.shape[3]} channels"
        )
    return granularity.group_size // 4


def counts_bits(variant: str) -> bool:
    """Return whether a kernel variant counts bits in planes sooner than it multiplies bytes of few bits.

    Not where no instruction counts, and one multiplies weights of few bits in pairs: 2 bits by 2 run 1.3 to 1.7 times
    as fast as bytes there, ternary by ternary as fast, and nothing has to be packed.
    """
    return dot_of(variant) != "pairs"


def lower(layer: Layer, weights: QTensor, ends: Ends, *, counts: bool = True) -> Lowered:
    """Return the integer form of a layer; raise NotIntegerError with the reason when it has none."""
    flat, zero = s8_codes(weights)
    depth = flat.shape[1]
    if depth > MAX_DEPTH:
        raise NotIntegerError(f"depth {depth} can overflow 32-bit sums (limit {MAX_DEPTH})")
    kind = weights.spec.format
    if isinstance(layer, Conv) and layer.groups > 1 and (isinstance(kind, Binary) or np.any(zero)):
        raise NotIntegerError("grouped convolutions need a weight code that means 0")
    codes = dense_ohwi(layer, flat)
    span = _span(layer, weights, codes)
    grouped = span < codes.shape[1] * codes.shape[2] * -(-codes.shape[3] // 4)
    sums = bool(np.any(zero))
    product, values = product_for(codes, codes.shape[3], ends.lhs.high, span, kind, sums=sums, counts=counts)
    params = _params(layer, weights, ends, codes, zero, grouped, span, product)
    words = Words(
        residual=ends.residual is not None, grouped=grouped, floor=ends.out is not None and ends.out.floor,
        sum=params.shift is not None,
    )  # fmt: skip
    indices = codes if values is None else np.searchsorted(values, codes).astype(np.int16)
    return Lowered(product, words, indices, values, params)


def lower_depthwise(layer: Layer, weights: QTensor, ends: Ends) -> tuple[npt.NDArray[np.int8], ChannelParams] | None:
    """Return s8 codes (channels, kh, kw) and parameters of a depthwise layer, or None where it must run as a dense one.

    That is with a zero point of the weights, scales in groups, a residual, or float32 results.
    """
    if not has_own_windows(layer) or ends.out is None or ends.residual is not None:
        return None
    flat, zero = s8_codes(weights)
    if np.any(zero) or isinstance(weights.spec.granularity, PerGroup):
        return None
    codes = flat.reshape(len(flat), *layer.weight.shape[2:], 1)
    params = _params(layer, weights, ends, codes, zero, False, codes[0].size, U8_S8)
    return codes[..., 0].astype(np.int8), params


def _params(
    layer: Layer,
    weights: QTensor,
    ends: Ends,
    codes: Ints,
    zero: npt.NDArray[np.float32],
    grouped: bool,
    span: int,
    product: Product,
) -> ChannelParams:
    channels, out = len(codes), ends.out
    out_scale, out_zero = (out.scale, out.round_offset) if out else (1.0, 0.0)
    za = _lhs_zero(ends.lhs, product)
    step = ends.lhs.scale / 2 if product.is_binary else ends.lhs.scale
    flat = codes.reshape(channels, -1)
    if grouped:
        edges = np.arange(0, flat.shape[1], 4 * span)
        sums = np.add.reduceat(flat, edges, axis=1, dtype=np.int64).T
        if np.any(zero):
            raise NotIntegerError("weights with a zero point per group have no integer kernel")
    else:
        sums = flat.sum(axis=1, dtype=np.int64)
    correction = -za * sums + (flat.shape[1] if product.is_binary else 0)
    granular = _grid(weights.params.scale, weights, channels)
    scale = (granular[: len(sums)] if grouped else granular.reshape(-1)[-channels:]) * step / out_scale
    residual_scale = ends.residual.scale / out_scale if ends.residual else 1.0
    offset = layer.bias.astype(np.float64) / out_scale + out_zero
    if ends.residual:
        offset = offset - ends.residual.zero_point * residual_scale
    low, high = _limits(layer, out)
    shift, sum_correction = None, 0
    if np.any(zero):
        if codes.shape[3] % 4 and codes.shape[3] > 4:
            raise NotIntegerError(f"weights with a zero point need channels in fours, not {codes.shape[3]}")
        shift = (-_grid(zero, weights, channels) * scale).astype(np.float32)
        sum_correction = -za * flat.shape[1]
    return ChannelParams(
        correction.astype(np.int32), scale.astype(np.float32), offset.astype(np.float32), shift, sum_correction,
        residual_scale, low, high, 4 * span if grouped else 0,
    )  # fmt: skip


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
    if clamp is None:
        return 0.0, float(out.high)
    low, high = (
        np.float32(out.zero_point) + np.float32(v) * np.float32(out.inverse_scale) for v in (clamp.low, clamp.high)
    )
    bounded = (np.clip(np.rint(v), 0, out.high) for v in (low, high))
    return tuple(float(v) for v in bounded)  # type: ignore[return-value]
