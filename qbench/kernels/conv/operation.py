"""Convolutions as objects: pack once, bind to layouts once, run many times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.pack import is_words, k_group_unit
from qbench.kernels.conv.params import ChannelParams, folded
from qbench.kernels.conv.ranges import Ranges, ranges_of
from qbench.kernels.conv.reference import Window
from qbench.kernels.conv.tables import INT32_END, SIGN, at_least, brief, is_brief, largest, numbers_of_channels
from qbench.kernels.layout import Layout, Offsets, padded_channels
from qbench.kernels.native import Compiled, task_function
from qbench.kernels.tasks import Task, float_bits, task_of
from qbench.kernels.tiles.fields import FIELDS
from qbench.kernels.tiles.flags import flags_of
from qbench.kernels.tiles.operands import PackedWeights, Tiling
from qbench.kernels.tiles.products import product_of
from qbench.kernels.tiles.targets import TileShape, target_of, tile_shape
from qbench.kernels.variants import PORTABLE, dot_of, tiling

MAX_DEPTH = 65_793
"""Depth up to which 255 * 128 * depth stays in int32."""
L2_BLOCK_BYTES = 384 * 1024
"""Lhs rows of a block, in a 1 MiB second-level cache beside a panel of weights. Weights are read once a block; what is
written does not count: a panel writes a line or two of each row."""
OF_WEIGHTS = ("split", "widened")
"""Words of epilogues that `bind` adds for what weights are; see `tiles.pairs`."""


def lhs_words(product: str, channels: int) -> int:
    """Return the words a pixel takes: channels padded to 16, to 4 for images, or packed bits."""
    facts = product_of(product)
    if is_words(product):
        return -(-channels // 32) * facts.lhs_words
    return 4 if channels <= 4 and not facts.is_float else padded_channels(channels)


def lhs_dtype(product: str) -> type[np.generic]:
    """Return the dtype that the lhs buffer is read as."""
    return np.float32 if product_of(product).is_float else np.uint32 if is_words(product) else np.uint8


def tiled(product: str, epilogue: str, variant: str, shape: TileShape) -> Compiled:
    """Return the compiled loop over tiles; see `tiles.driver`."""
    fields = (shape.rows, shape.vectors, shape.spread, shape.chains)
    return task_function("qbench.kernels.tiles.driver:tiles_of", product, epilogue, variant, *fields)


def numbers_of(product: str) -> int:
    """Return the numbers in a k-group of one lane."""
    return 32 if is_words(product) else 1 if product_of(product).is_float else 4


@dataclass(frozen=True, slots=True, eq=False)
class BoundConv:
    """A convolution with its weights, tables and parameters; `task` joins it to buffers."""

    product: str
    epilogue: str
    variant: str
    lhs: Layout
    out: Layout
    weights: PackedWeights
    shape: Tiling
    params: dict[str, npt.NDArray[np.generic]]
    scalars: dict[str, Any]
    tables: dict[str, Offsets]
    span: int
    ranges: Ranges | None = None

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        return f"conv_{self.product}_{self.epilogue.split('+')[0]}/{self.variant}"

    @property
    def pixels_an_image(self) -> int:
        """Output pixels of one image: the rows of the product."""
        return self.out.height * self.out.width

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights and parameters in the kernel's layout, and of the order of k-groups where it has one."""
        order = 0 if self.weights.order is None else self.tables["k_offsets"].nbytes
        return self.weights.data.size + order + sum(array.nbytes for array in self.params.values())

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs: none."""
        return 0

    def task(
        self, lhs: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], residual: npt.NDArray[np.uint8] | None = None,
        *, scratch: npt.NDArray[np.uint8] | None = None,
    ) -> Task:  # fmt: skip
        """Return the task that reads and writes these buffers of bytes; `scratch` is not used."""
        extra = out if residual is None else residual
        return (self._portable if self.variant == PORTABLE else self._tiled)(lhs, out, extra)

    def _tiled(self, lhs: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], residual: npt.NDArray[np.uint8]) -> Task:
        target, weights, words = target_of(self.variant), self.weights, self.epilogue.split("+")
        rows = self.out.images * self.pixels_an_image
        span = math.gcd(self.span, weights.k_groups)
        if weights.order is not None:
            span = math.gcd(span, k_group_unit(weights.k_groups, product_of(self.product).planes))
        if self.ranges is not None:
            span = math.gcd(span, self.ranges.unit)
        key = next((word for word in OF_WEIGHTS if word in words), self.product)
        tall = tile_shape(
            target, product_of(self.product, target.dot), key, rows, span, ranges=self.ranges,
            vectors=self.shape.vectors, spread=self.shape.spread, grouped="grouped" in words, sums="sum" in words,
        )  # fmt: skip
        row_bytes = max(1, self.lhs.size_bytes // max(1, rows))
        numbers = {
            **{name: float_bits(self.scalars[name]) for name in ("low", "high", "residual_scale")},
            "sum_correction": self.scalars["sum_correction"],
            "pixels": self.pixels_an_image,
            "channels": weights.channels,
            "k_groups": weights.k_groups,
            "k_groups_a_scale": self.span,
            "panel_bytes": weights.panel_bytes,
            "scale_bytes": 4 * -(-weights.k_groups // self.span) * self.shape.width,
            "block_rows": max(1, L2_BLOCK_BYTES // row_bytes // tall.rows) * tall.rows,
            "split_panels": int(weights.data.size > self.lhs.size_bytes),
            "k_table_bytes": 8 * weights.k_groups,
            "safe_ends": 0 if weights.order is None else weights.order.ends.ctypes.data,
        }
        nothing = np.zeros(0, np.int64)
        arrays = {
            **self.params, **self.tables,
            "ranges": nothing if self.ranges is None else at_least(self.ranges.of_tiles(tall.rows)),
            "lhs": lhs, "rhs": weights.data, "out": out, "residual": residual, "table": weights.table,
        }  # fmt: skip
        words_of = [numbers[name] if name in numbers else arrays[name].ctypes.data for name in FIELDS]
        kept = () if weights.order is None else (weights.order.ends,)
        function = tiled(self.product, self.epilogue, self.variant, tall)
        return Task(function, np.array(words_of, np.int64), (*arrays.values(), *kept))

    def _portable(
        self, lhs: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], residual: npt.NDArray[np.uint8]
    ) -> Task:
        source, kind = lhs_dtype(self.product), self.epilogue.split("+")[0]
        if "fixed" in self.epilogue:
            return self._portable_fixed(lhs, out)
        tables = (self.tables[name] for name in ("lhs_rows", "out_rows", "residual_rows", "k_offsets"))
        params = (self.params[name] for name in ("correction", "scale", "offset", "shift"))
        extra = residual.view(np.float32 if source is np.float32 else np.uint8)
        arrays = (lhs.view(source), self.weights.data.view(source), out.view(OUT_DTYPE[kind]), extra, *tables, *params)
        scalars = (
            *(np.float32(self.scalars[n]) for n in ("low", "high", "residual_scale")),
            self.scalars["sum_correction"],
        )
        w = self.weights
        numbers = (w.channels, (w.k_groups, self.span), w.panel_bytes, flags_of(self.product, self.epilogue))
        return task_of("qbench.kernels.tiles.portable:run", (arrays, scalars, *numbers), units=self.pixels_an_image)

    def _portable_fixed(self, lhs: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> Task:
        source, w = lhs_dtype(self.product), self.weights
        tables = (self.tables[name] for name in ("lhs_rows", "out_rows", "k_offsets"))
        params = (self.params[name] for name in ("correction", "scale", "shift"))
        arrays = (lhs.view(source), w.data.view(source), out, *tables, *params)
        numbers = ((int(self.scalars["low"]), int(self.scalars["high"])), int(self.params["offset"][0]))
        depth = (w.channels, w.k_groups, w.panel_bytes, flags_of(self.product, self.epilogue))
        kernel = "qbench.kernels.tiles.portable:run_fixed"
        return task_of(kernel, (arrays, *numbers, *depth), units=self.pixels_an_image)


OUT_DTYPE: dict[str, type[np.generic]] = {"u8": np.uint8, "f32": np.float32, "s32": np.int32}


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
    zero_padding: bool = False,
) -> BoundConv:
    """Join weights, parameters and layouts. The lhs's border must be at least the window's padding.

    Args:
        product: e.g. `u8_s8`. The correction of an `s8` lhs must take its codes as 128 more than they are.
        epilogue: e.g. `u8+residual`; see `tiles.driver`.
        variant: a name of `variants.NAMES`.
        window: geometry.
        lhs: layout of the input buffer.
        out: layout of the output buffer; its words must hold `weights.channels` channels.
        weights: from `pack_weights`.
        params: per-channel parameters.
        residual: layout of the residual buffer.
        zero_padding: whether the code of zero is 0: products with padding are left out where a tile has nothing else.
    """
    if variant != PORTABLE and out.words < weights.channels:
        raise ValueError(f"{weights.channels} channels are stored in pixels of {out.words}: each would run over others")
    facts, sums = product_of(product, dot_of(variant)), params.shift is not None
    shape = tiling(variant, product, len(params.offset), lhs.channels, group_size=params.group_size, sums=sums)
    numbers = numbers_of(product) * shape.spread
    group_bytes = 4 * facts.lhs_words * shape.spread
    offsets = lhs.tap_offsets(window.kernel, window.dilations, group_bytes, -(-lhs.channels // numbers))
    missing = weights.k_groups - len(offsets)
    if weights.order is not None:
        offsets = weights.order.places(offsets)
    if sums and missing:
        raise ValueError(f"{missing} padding k-groups would be counted in the rows' sums")
    size, rows_out = (out.height, out.width), at_least(out.pixel_offsets())
    tables = {
        "lhs_rows": at_least(lhs.window_offsets(size, window.strides, window.pads[:2])),
        "out_rows": rows_out,
        "residual_rows": rows_out if residual is None else at_least(residual.pixel_offsets()),
        "k_offsets": np.concatenate([offsets, np.zeros((*offsets.shape[:-1], missing), np.int64)], axis=-1),
    }
    times = 1 if variant == PORTABLE else facts.multiple
    params = folded(params)
    arrays = numbers_of_channels(params, weights, times, shape.width)
    scalars = {
        "low": params.low, "high": params.high, "residual_scale": params.residual_scale,
        "sum_correction": params.sum_correction + SIGN * numbers * weights.k_groups * (weights.code_sums is not None),
    }  # fmt: skip
    if params.fixed is not None:
        if epilogue != "u8" or sums or params.group_size:
            raise ValueError(f"requantizing in whole numbers: expected the epilogue u8 alone, got {epilogue}")
        epilogue = "u8+fixed"
    span = params.group_size // numbers or weights.k_groups
    if params.group_size and is_brief(arrays["scale"]):
        epilogue += "+brief"
        arrays["scale"] = arrays["scale"] if variant == PORTABLE else brief(arrays["scale"])
    if params.group_size and variant != PORTABLE and weights.code_sums is None:
        arrays["correction"] = np.zeros(0, np.int32)  # all are 0, and no tile reads them
    if epilogue.startswith("u8") and largest(params, weights.k_groups * numbers) >= INT32_END:
        epilogue += "+wide"
    found = {"split": weights.order is not None, "widened": weights.widened}
    epilogue = "+".join([epilogue, *(word for word in OF_WEIGHTS if found[word])])
    ranges = None
    plain = weights.order is None and weights.code_sums is None and not sums and not params.group_size
    if zero_padding and plain and variant != PORTABLE and product[0] in "uf":
        groups_a_tap = len(offsets) // math.prod(window.kernel)
        ranges = ranges_of(window, lhs, out, k_groups=weights.k_groups, groups_a_tap=groups_a_tap)
        if ranges is not None and ranges.unit % facts.planes:
            ranges = None
        epilogue += "+ranged" * (ranges is not None)
    return BoundConv(product, epilogue, variant, lhs, out, weights, shape, arrays, scalars, tables, span, ranges)
