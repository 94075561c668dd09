"""Weights of convolutions and products, packed for a variant: once, before anything runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.job import Weights
from qbench.kernels.conv.reference import Codes, Floats
from qbench.kernels.product import Product
from qbench.kernels.tiles.operands import (
    PackedWeights,
    bits_of,
    code_sums,
    pack_bytes,
    pack_fields,
    pack_floats_by_codes,
    pack_indices,
    pack_words,
)  # fmt: skip
from qbench.kernels.tiles.pairs import group_order
from qbench.kernels.tiles.products import BytesByFewBits, BytesByTable, FloatsByCodes, multiplier_of
from qbench.kernels.tiles.targets import LEAST_CHAINS
from qbench.kernels.variants import PORTABLE, dot_of, tiling


def pack_weights(weights: Weights, product: Product, variant: str) -> PackedWeights:
    """Pack weights for a product on a variant; portable keeps any width as bytes, or as floats beside floats."""
    codes, values, group_size = weights.codes, weights.values, weights.params.group_size
    channels, depth_of_taps = len(codes), codes.shape[-1]
    shape = tiling(variant, product, channels, depth_of_taps, group_size=group_size, sums=weights.sums)
    dot = dot_of(variant)
    facts = multiplier_of(product, dot)
    if product.is_words:
        return pack_words(_bit_words(codes, product).reshape(channels, -1, facts.vectors), shape)
    if facts.is_float:
        flat = codes.reshape(channels, -1)
        if isinstance(facts, FloatsByCodes) and variant != PORTABLE:
            return pack_floats_by_codes(flat.astype(np.int8), facts, shape)
        return pack_words(flat.astype(np.float32), shape)
    zero = int(np.flatnonzero(values == 0)[0]) if values is not None and 0 in values else 0
    missing = -depth_of_taps % 4
    padded = np.pad(codes, ((0, 0), (0, 0), (0, 0), (0, missing)), constant_values=zero) if missing else codes
    full = padded.reshape(channels, -1)
    meant = full.astype(np.int8) if values is None else values[full]
    if variant == PORTABLE:
        return pack_bytes(meant, shape)
    sums_of_codes = code_sums(meant, group_size) if dot == "sdot" else None
    if isinstance(facts, BytesByFewBits):
        return replace(pack_fields(meant, facts, shape), code_sums=sums_of_codes)
    order, unit = None, k_group_unit(full.shape[1] // 4, facts.planes)
    if dot == "pairs":
        order = group_order(meant, shape.width, unit, padded.shape[-1])
    widened = order is not None and (group_size > 0 or not order.pays)
    if order is not None and not widened:
        full, meant = (order.apply(each, shape.width) for each in (full, meant))
    if isinstance(facts, BytesByTable) and values is not None:
        packed = pack_indices(full.astype(np.uint8), values, facts.bits, shape)
    else:
        packed = pack_bytes(meant, shape)
    return replace(packed, code_sums=sums_of_codes, order=None if widened else order, widened=widened)


def k_group_unit(k_groups: int, planes: int) -> int:
    """Return what the numbers of k-groups that loops run over are multiples of, so that chains divide them."""
    return math.gcd(-(-k_groups // planes) * planes, LEAST_CHAINS * planes)


def _bit_words(codes: Codes | Floats, product: Product) -> npt.NDArray[np.uint32]:
    """Return the words of OHWI codes, (channels, kh, kw, words, vectors of a k-group)."""
    if product.is_binary:
        return bits_of(codes > 0)[..., None]
    if product.is_ternary:
        return np.stack([bits_of(codes != 0), bits_of(codes < 0)], axis=-1)
    codes = codes.astype(np.int64)
    return np.stack([bits_of((codes >> plane) & 1 > 0) for plane in range(product.rhs_planes)], axis=-1)
