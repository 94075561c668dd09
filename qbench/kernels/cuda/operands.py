"""Weights, tables and parameters of a product, packed on the host for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import Window
from qbench.kernels.cuda.language.shapes import CHUNK
from qbench.kernels.cuda.multiply.products import PRODUCTS, pack_rows
from qbench.kernels.layout import Layout

Codes = npt.NDArray[np.integer[Any]]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]

CODE_BITS = {"b1_b1": 1, "f16_s4": 16, "t2_t2": 2}
"""Bits of a lhs code in memory, 8 unless listed."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """A product's sizes: rows of the lhs, columns, channels, codes a tap with padding, bytes a tap, taps."""

    rows: int
    columns: int
    channels: int
    tap_codes: int
    tap_bytes: int
    taps: int

    @classmethod
    def of(cls, product: str, window: Window, lhs: Layout, out: Layout, columns: int) -> Geometry:
        """Return the sizes of a convolution of `columns` output channels."""
        bits = CODE_BITS.get(product, 8)
        return cls(
            rows=out.images * out.height * out.width,
            columns=columns,
            channels=lhs.channels,
            tap_codes=lhs.pixel_bytes * 8 // bits,
            tap_bytes=lhs.pixel_bytes,
            taps=prod(window.kernel),
        )

    @property
    def depth_bytes(self) -> int:
        """Bytes of a row's depth."""
        return self.taps * self.tap_bytes

    @property
    def piece(self) -> int:
        """Bytes that certainly lie in one piece and at a multiple of their number: 16 or 4."""
        return 16 if self.tap_bytes % 16 == 0 else 4


def padded_to(values: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Return rows (any number, the last axis is columns) with zeros up to `length` columns."""
    missing = length - values.shape[-1]
    assert missing >= 0
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])


def depth_of(codes: Codes, geometry: Geometry) -> npt.NDArray[np.int16]:
    """Return OHWI codes as rows (columns, taps * codes a tap), each tap's channels padded with zeros."""
    rows = padded_to(codes.reshape(len(codes), geometry.taps, -1), geometry.tap_codes)
    return rows.reshape(len(codes), -1).astype(np.int16)


def binary_words(codes: Codes, geometry: Geometry) -> Bytes:
    """Return rows of bits, lowest channel in the lowest bit: 1 for codes above 0."""
    bits = np.packbits(depth_of(codes, geometry) > 0, axis=-1, bitorder="little")
    return np.ascontiguousarray(bits)


def ternary_words(codes: Codes, geometry: Geometry) -> Bytes:
    """Return rows of alternating words: non-zero, negative."""
    depth = depth_of(codes, geometry)
    planes = [np.packbits(plane, axis=-1, bitorder="little").view(np.uint32) for plane in (depth != 0, depth < 0)]
    return np.ascontiguousarray(np.stack(planes, axis=-1).reshape(len(codes), -1)).view(np.uint8)


def stored_as(product: str, geometry: Geometry, depth_bytes: int) -> str:
    """Return the product that weights are packed for: codes -1 and 1 of one bit have no zero to pad a depth with.

    Pieces of padding come in pairs that cancel, since all read the same bytes; where they do not, two bits are stored.
    """
    if product != "u8_t1":
        return product
    pieces = (depth_bytes - geometry.depth_bytes) // CHUNK
    whole = geometry.tap_codes == geometry.channels and geometry.piece == CHUNK
    return product if whole and pieces % 2 == 0 else "u8_t2"


def packed_rhs(codes: Codes, product: str, geometry: Geometry, *, columns: int, depth_bytes: int) -> Bytes:
    """Return packed rows for the matrix units: `columns` of them, `depth_bytes` lhs bytes deep, zeros beyond."""
    planes = PRODUCTS[product].planes
    full = np.zeros((columns, depth_bytes // planes), np.uint8)
    if product == "b1_b1":
        rows = binary_words(codes, geometry)
        full[: len(rows), : rows.shape[1]] = rows
        return full
    depth = depth_of(codes, geometry)
    whole = np.zeros((columns, depth_bytes * 8 // CODE_BITS.get(product, 8)), np.int16)
    whole[: len(depth), : depth.shape[1]] = depth
    if product == "u8_t1":
        pieces = np.arange(whole.shape[1] - depth.shape[1]) // CHUNK
        whole[:, depth.shape[1] :] = 1 - 2 * (pieces % 2)
    full[:] = pack_rows(whole, product)
    return full


def k_offsets(lhs: Layout, window: Window, geometry: Geometry, *, piece: int, depth_bytes: int) -> Ints:
    """Return the byte offset of every piece of a window's depth; pieces beyond read the first one, by weights of 0."""
    found = lhs.tap_offsets(window.kernel, window.dilations, piece, geometry.tap_bytes // piece)
    missing = depth_bytes // piece - len(found)
    return np.concatenate([found, np.zeros(missing, found.dtype)]).astype(np.int32)


def bit_counts(codes: Codes) -> Ints:
    """Return how many of each column's binary codes are +1."""
    return np.asarray((codes.reshape(len(codes), -1) > 0).sum(axis=1), np.int32)
