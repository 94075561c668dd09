"""Convolutions as objects: pack once, bind to layouts once, run many times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import Codes, Floats, Window
from qbench.kernels.layout import Layout, Offsets, aligned, padded_channels
from qbench.kernels.tiles.driver import Kernel
from qbench.kernels.tiles.operands import PackedWeights, bits_of, pack_bytes, pack_indices, pack_words
from qbench.kernels.variants import PORTABLE, TABLE_PRODUCTS, kernel, tiling

ITEM = {"u8": 1, "f32": 4, "s32": 4}
LHS_DTYPE: dict[str, type[np.generic]] = {"b1_b1": np.uint32, "t2_t2": np.uint32, "f32_f32": np.float32}
MAX_DEPTH = 65_793
"""Depth up to which 255 * 128 * depth stays in int32."""


def lhs_words(product: str, channels: int) -> int:
    """Return the words a pixel takes: channels padded to 16, to 4 for images, or packed bits."""
    if product in ("b1_b1", "t2_t2"):
        return -(-channels // 32) * (2 if product == "t2_t2" else 1)
    return 4 if channels <= 4 and product != "f32_f32" else padded_channels(channels)


def pack_weights(
    codes: Codes | Floats,
    product: str,
    variant: str,
    *,
    values: npt.NDArray[np.int8] | None = None,
    group_size: int = 0,
    sums: bool = False,
) -> PackedWeights:
    """Pack OHWI weights for `product` on `variant`.

    Args:
        codes: int codes -128..127 for `u8_s8`, -1 and 1 for `b1_b1`, -1, 0, 1 for `t2_t2`, indices into `values` for
            `u8_t4`, `u8_t2`, `u8_t1`, float32 for `f32_f32`.
        product: the product that was asked for; portable expands table products to bytes.
        variant: name of the variant.
        values: the s8 levels that indices stand for.
        group_size: numbers that share a scale, 0 when not grouped.
        sums: whether the epilogue needs the rows' sums.
    """
    channels, depth_of_taps = len(codes), codes.shape[-1]
    shape = tiling(variant, product, channels, depth_of_taps, group_size=group_size, sums=sums)
    if product == "f32_f32":
        return pack_words(codes.reshape(channels, -1).astype(np.float32), shape)
    if product == "b1_b1":
        return pack_words(bits_of(codes > 0).reshape(channels, -1), shape)
    if product == "t2_t2":
        planes = np.stack([bits_of(codes != 0), bits_of(codes < 0)], axis=-1)
        return pack_words(planes.reshape(channels, -1, 2), shape)
    zero = int(np.flatnonzero(values == 0)[0]) if values is not None and 0 in values else 0
    padding = ((0, 0), (0, 0), (0, 0), (0, -depth_of_taps % 4))
    full = np.pad(codes, padding, constant_values=zero).reshape(channels, -1)
    if values is None:
        return pack_bytes(full.astype(np.int8), shape)
    if variant == PORTABLE:
        return pack_bytes(values[full], shape)
    return pack_indices(full.astype(np.uint8), values, int(product[-1]), shape)


@dataclass(frozen=True, slots=True, eq=False)
class ChannelParams:
    """Per output channel (and group): see `qbench.kernels.tiles.tile`. Arrays are padded to whole panels by `bound`.

    `correction` int32 and `scale` float32 have shape (channels,), or (groups, channels) when grouped.
    """

    correction: npt.NDArray[np.int32]
    scale: Floats
    offset: Floats
    shift: Floats | None = None
    sum_correction: int = 0
    residual_scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    group_size: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class BoundConv:
    """A convolution with its weights, tables and parameters; `arguments` joins it to buffers, `run` computes."""

    kernel: Kernel
    name: str
    lhs: Layout
    out: Layout
    weights: PackedWeights
    params: tuple[npt.NDArray[np.generic], ...]
    scalars: tuple[Any, ...]
    tables: tuple[Offsets, Offsets, Offsets, Offsets]
    k_groups_a_scale: int
    lhs_dtype: type[np.generic] = field(default=np.uint8)

    def arguments(
        self,
        lhs: npt.NDArray[np.uint8],
        out: npt.NDArray[np.uint8],
        residual: npt.NDArray[np.uint8] | None,
        kind: str,
        product: str,
    ) -> tuple[Any, ...]:
        """Return the leading arguments of `kernel` for these buffers of bytes."""
        dtype = {"u8": np.uint8, "f32": np.float32, "s32": np.int32}[kind]
        weights = self.weights.data.view(self.lhs_dtype)
        extra = out.view(dtype) if residual is None else residual.view(np.float32 if product == "f32_f32" else np.uint8)
        rows_in, rows_out, rows_residual, k_offsets = self.tables
        correction, scale, offset, shift = self.params
        arrays = (
            lhs.view(self.lhs_dtype), weights, out.view(dtype), extra, rows_in, rows_out, rows_residual, k_offsets,
            correction, scale, offset, shift, self.weights.table,
        )  # fmt: skip
        w = self.weights
        return (arrays, self.scalars, w.channels, w.k_groups, self.k_groups_a_scale, w.panel_bytes)

    @property
    def pixels_an_image(self) -> int:
        """Output pixels of one image: the rows of the product."""
        return self.out.height * self.out.width


def _padded(values: npt.NDArray[np.generic], channels: int, dtype: type[np.generic]) -> npt.NDArray[np.generic]:
    rows = np.atleast_2d(values)
    full = aligned(rows.shape[0] * channels * 4).view(dtype).reshape(rows.shape[0], channels)
    full[:, : rows.shape[1]] = rows
    return full.reshape(-1)


def bind(
    product: str,
    epilogue: str,
    variant: str,
    window: Window,
    lhs: Layout,
    out: Layout,
    weights: PackedWeights,
    params: ChannelParams,
    *,
    residual: Layout | None = None,
) -> BoundConv:
    """Join weights, parameters and layouts. The lhs's border must be at least the window's padding.

    Args:
        product: e.g. `u8_s8`.
        epilogue: e.g. `u8+residual`; see `driver.tiled`.
        variant: a name of `variants.NAMES`.
        window: geometry.
        lhs: layout of the input buffer.
        out: layout of the output buffer; its words must hold `weights.channels` channels.
        weights: from `pack_weights`.
        params: per-channel parameters.
        residual: layout of the residual buffer.
    """
    ran = product if variant != PORTABLE or product not in TABLE_PRODUCTS else "u8_s8"
    sums = params.shift is not None
    shape = tiling(variant, product, len(params.offset), lhs.channels, group_size=params.group_size, sums=sums)
    numbers = {"b1_b1": 32, "t2_t2": 32, "f32_f32": 1}.get(product, 4) * shape.spread
    group_bytes = 8 if product == "t2_t2" else 4 * shape.spread
    offsets = lhs.tap_offsets(window.kernel, window.dilations, group_bytes, -(-lhs.channels // numbers))
    missing = weights.k_groups - len(offsets)
    if sums and missing:
        raise ValueError(f"{missing} padding k-groups would be counted in the rows' sums")
    k_offsets = np.concatenate([offsets, np.zeros(missing, np.int64)])
    size = (out.height, out.width)
    rows_out = out.pixel_offsets()
    rows_residual = rows_out if residual is None else residual.pixel_offsets()
    tables = (lhs.window_offsets(size, window.strides, window.pads[:2]), rows_out, rows_residual, k_offsets)
    arrays = (
        _padded(params.correction, weights.channels, np.int32),
        _padded(params.scale, weights.channels, np.float32),
        _padded(params.offset, weights.channels, np.float32),
        _padded(params.offset if params.shift is None else params.shift, weights.channels, np.float32),
    )
    scalars = (
        np.float32(params.low),
        np.float32(params.high),
        np.float32(params.residual_scale),
        np.int32(params.sum_correction),
    )
    name = f"conv_{product}_{epilogue.split('+')[0]}/{variant}"
    dtype = LHS_DTYPE.get(product, np.uint8)
    compiled = kernel(ran, epilogue, variant, shape)
    scale_span = params.group_size // numbers or weights.k_groups
    return BoundConv(compiled, name, lhs, out, weights, arrays, scalars, tables, scale_span, dtype)
