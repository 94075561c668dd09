"""Packing of weights into the panels that tiles read: once, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import aligned
from qbench.kernels.tiles.pairs import GroupOrder
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import BytesByFewBits, FloatsByCodes

Bytes = npt.NDArray[np.uint8]
TABLE_ENTRIES = 16


@dataclass(frozen=True, slots=True, eq=False)
class PackedWeights:
    """The rhs of a product. `data` is `[panels][k_groups / planes][vectors][lanes][4 bytes]`.

    Args:
        data: the packed bytes, 64-byte aligned.
        table: 64 bytes, four times the 16 entries that codes of 4 or 1 bits are looked up in; zeros when unused.
        channels: output channels, padded to whole panels.
        k_groups: k-groups, padded to whole packed vectors.
        panel_bytes: bytes from one panel to the next.
        code_sums: int32 sums of a channel's codes, (channels,) or (groups, channels), where the dot instruction takes
            the lhs as signed, which the correction makes up for.
        order: the panels' orders of k-groups where they have their own ("split").
        widened: whether no k-group may be multiplied by `pairs`.
    """

    data: Bytes
    table: Bytes
    channels: int
    k_groups: int
    panel_bytes: int
    code_sums: npt.NDArray[np.int32] | None = None
    order: GroupOrder | None = None
    widened: bool = False


def code_table(values: npt.NDArray[np.int8]) -> Bytes:
    """Return the 64-byte lookup table whose entry i is `values[i]`."""
    entries = np.zeros(TABLE_ENTRIES, np.int8)
    entries[: len(values)] = values
    table = aligned(4 * TABLE_ENTRIES)
    table[:] = np.tile(entries, 4).view(np.uint8)
    return table


def code_sums(codes: npt.NDArray[np.int8], group_size: int = 0) -> npt.NDArray[np.int32]:
    """Return int32 sums of codes (channels, depth): (channels,), or (groups, channels) where scales are grouped."""
    starts = np.arange(0, codes.shape[1], group_size or codes.shape[1])
    sums = np.add.reduceat(codes.astype(np.int32), starts, axis=1).T
    return sums if group_size else sums[0]


def _panels(groups: Bytes, tiling: Tiling, *, words: int = 1) -> Bytes:
    """Reorder (channels, packed k-groups, bytes) into panels.

    A cell is `words` parts; parts beyond the first stand in vectors of their own (ternary's sign plane).
    """
    count, depth, size = groups.shape
    padded, width, vectors = tiling.padded(count), tiling.width, tiling.vectors
    full = groups
    if padded > count:
        full = np.zeros((padded, depth, size), np.uint8)
        full[:count] = groups
    cells = full.reshape(padded // width, vectors, width // vectors, depth, words, size // words)
    data = aligned(full.size)
    ordered = cells.transpose(0, 3, 1, 4, 2, 5)
    data.reshape(ordered.shape)[...] = ordered
    return data


def pack_bytes(codes: npt.NDArray[np.int8], tiling: Tiling) -> PackedWeights:
    """Pack s8 codes of shape (channels, 4 * spread * k_groups)."""
    channels, depth = codes.shape
    size = 4 * tiling.spread
    data = _panels(codes.view(np.uint8).reshape(channels, depth // size, size), tiling)
    return PackedWeights(data, aligned(64), tiling.padded(channels), depth // size, tiling.width * depth)


def pack_fields(codes: npt.NDArray[np.int8], product: BytesByFewBits, tiling: Tiling) -> PackedWeights:
    """Pack two's complement codes of `product.bits` bits, shape (channels, 4 * spread * k_groups), at their width.

    The depth is padded with zeros to whole sets of `product.planes` k-groups. A set is the vectors of the highest
    field, then those of the next.
    """
    size, planes, bits = 4 * tiling.spread, product.planes, product.bits
    sets = _sets(codes.view(np.uint8), size, planes) + np.uint8(product.bias)
    parts, below = [], bits
    for width in product.fields:
        each, below = 8 // width, below - width
        field = (sets >> np.uint8(below)) & np.uint8((1 << width) - 1)
        for first in range(0, planes, each):
            shifted = [field[:, :, first + i] << np.uint8(i * width) for i in range(each)]
            parts.append(np.bitwise_or.reduce(np.stack(shifted), axis=0))
    packed = np.concatenate(parts, axis=-1)
    data = _panels(packed, tiling, words=product.vectors)
    channels, depth = packed.shape[:2]
    return PackedWeights(
        data, aligned(64), tiling.padded(channels), depth * planes, tiling.width * depth * packed.shape[2]
    )


def pack_floats_by_codes(codes: npt.NDArray[np.int8], product: FloatsByCodes, tiling: Tiling) -> PackedWeights:
    """Pack codes (channels, depth) of 8 or 4 bits, `product.planes` consecutive ones in a word, lowest bits first."""
    channels, depth = codes.shape
    full = np.zeros((channels, -(-depth // product.planes) * product.planes), np.uint32)
    full[:, :depth] = codes.astype(np.int64) & ((1 << product.bits) - 1)
    places = np.arange(product.planes, dtype=np.uint32) * np.uint32(product.bits)
    words = np.bitwise_or.reduce(full.reshape(channels, -1, product.planes) << places, axis=-1)
    packed = pack_words(words, tiling)
    return replace(packed, k_groups=packed.k_groups * product.planes)


def _sets(codes: Bytes, size: int, planes: int) -> Bytes:
    """Return codes as (channels, sets, planes, size), the depth padded with zeros."""
    channels, depth = codes.shape
    missing = -(depth // size) % planes
    padding = np.zeros((channels, missing * size), np.uint8)
    return np.concatenate([codes, padding], axis=1).reshape(channels, -1, planes, size)


def pack_indices(indices: Bytes, values: npt.NDArray[np.int8], bits: int, tiling: Tiling) -> PackedWeights:
    """Pack indices of 4 or 1 bits into `values`, shape (channels, 4 * spread * k_groups).

    The depth is padded to whole packed vectors: by an index whose value is 0, or, for values -1 and 1 alone, by
    alternating ones that cancel, since padding k-groups all read the same lhs bytes.
    """
    planes, size = 8 // bits, 4 * tiling.spread
    channels, depth = indices.shape
    k_groups = depth // size
    missing = -k_groups % planes
    padding = np.zeros((channels, missing, size), np.uint8)
    zero = np.flatnonzero(values == 0)
    if len(zero):
        padding[:] = zero[0]
    elif missing % 2:
        raise ValueError(f"{missing} padding k-groups of values without a zero do not cancel")
    else:
        padding[:, ::2], padding[:, 1::2] = np.flatnonzero(values == 1)[0], np.flatnonzero(values == -1)[0]
    groups = np.concatenate([indices.reshape(channels, k_groups, size), padding], axis=1)
    split = groups.reshape(channels, -1, planes, size)
    packed = np.zeros((channels, split.shape[1], size), np.uint8)
    for plane in range(planes):
        packed |= split[:, :, plane] << np.uint8(plane * bits)
    data = _panels(packed, tiling)
    panel_bytes = tiling.width * packed.shape[1] * size
    return PackedWeights(data, code_table(values), tiling.padded(channels), k_groups + missing, panel_bytes)


def pack_words(words: npt.NDArray[np.generic], tiling: Tiling) -> PackedWeights:
    """Pack words (bits or floats) of shape (channels, spread * k_groups), or (channels, k_groups, planes)."""
    planes = 1 if words.ndim == 2 else words.shape[2]
    size = 4 * planes * tiling.spread
    raw = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), -1, size)
    data = _panels(raw, tiling, words=planes)
    return PackedWeights(data, aligned(64), tiling.padded(len(words)), raw.shape[1], tiling.width * raw.shape[1] * size)


def bits_of(positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Return words of 32 channels, lowest channel in the lowest bit, from booleans of shape (..., channels)."""
    missing = -positive.shape[-1] % 32
    full = np.concatenate([positive, np.zeros((*positive.shape[:-1], missing), bool)], axis=-1)
    return np.packbits(full, axis=-1, bitorder="little").view(np.uint32)
