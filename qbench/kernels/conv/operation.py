"""Convolutions as objects: pack once, bind to layouts once, run many times."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.accumulator import Accumulator
from qbench.kernels.conv.job import Job
from qbench.kernels.conv.pack import k_group_unit
from qbench.kernels.conv.params import ChannelParams, folded
from qbench.kernels.conv.ranges import Ranges, ranges_of
from qbench.kernels.conv.tables import INT32_END, SIGN, at_least, brief, is_brief, largest, numbers_of_channels
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout, Offsets
from qbench.kernels.native import Compiled, task_function
from qbench.kernels.product import Product
from qbench.kernels.tasks import Task, float_bits, task_of
from qbench.kernels.tiles.fields import FIELDS
from qbench.kernels.tiles.flags import flags_of
from qbench.kernels.tiles.operands import PackedWeights
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import TileShape, target_of, tile_shape
from qbench.kernels.variants import PORTABLE, dot_of, tiling

Buffer = npt.NDArray[np.uint8]
MAX_DEPTH = 65_793
"""Depth up to which 255 * 128 * depth stays in int32."""
L2_BLOCK_BYTES = 384 * 1024
"""Bytes of lhs rows per block: they share a 1 MiB second-level cache with one weight panel. Weights are read once per
block; what is written does not count: a panel writes a line or two of each row."""


def tiled(product: Product, epilogue: Epilogue, variant: str, shape: TileShape) -> Compiled:
    """Return the compiled loop over tiles; see `tiles.driver`."""
    fields = (shape.rows, shape.vectors, shape.spread, shape.chains)
    return task_function("qbench.kernels.tiles.driver:tiles_of", str(product), str(epilogue), variant, *fields)


@dataclass(frozen=True, slots=True, eq=False)
class BoundConv:
    """A convolution with its weights, tables and parameters; `task` joins it to buffers."""

    product: Product
    epilogue: Epilogue
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
        return f"conv_{self.product}_{self.epilogue.kind}/{self.variant}"

    @property
    def packed(self) -> PackedWeights:
        """The weights in panels."""
        return self.weights

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

    def task(self, lhs: Buffer, out: Buffer, residual: Buffer | None = None, *, scratch: Buffer | None = None) -> Task:
        """Return the task that reads and writes these buffers of bytes; `scratch` is not used."""
        extra = out if residual is None else residual
        return (self._portable if self.variant == PORTABLE else self._tiled)(lhs, out, extra)

    def _tiled(self, lhs: Buffer, out: Buffer, residual: Buffer) -> Task:
        target, weights = target_of(self.variant), self.weights
        rows = self.out.images * self.pixels_an_image
        span = math.gcd(self.span, weights.k_groups)
        if weights.order is not None:
            span = math.gcd(span, k_group_unit(weights.k_groups, multiplier_of(self.product).planes))
        if self.ranges is not None:
            span = math.gcd(span, self.ranges.unit)
        tall = tile_shape(target, self.product, self.epilogue, self.shape, rows, span, ranges=self.ranges)
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

    def narrow_task(
        self, lhs: Buffer, out: Buffer, residual: Buffer | None, *, accumulator: Accumulator, zero: int
    ) -> Task:
        """Return the task of bytes on plain loops whose sums of (code - `zero`) * weight have an accumulator's bits."""
        arrays, scalars, channels, (k_groups, span), panel, flags = self._portable_arguments(
            lhs, out, out if residual is None else residual
        )
        rhs = self.weights.data.view(np.int8)[: channels * panel].reshape(channels, panel)[:, : 4 * k_groups]
        weights = np.ascontiguousarray(rhs.T, np.int32)
        kept = (arrays[0], *arrays[2:8], *arrays[9:])
        narrow = (accumulator.bits, accumulator.overflow == "saturate", zero)
        room = tuple(np.empty((len(self.tables["lhs_rows"]), channels), kind) for kind in (np.int32, np.float32))
        arguments = (kept, weights, room, scalars, span, flags, narrow)
        return task_of("qbench.kernels.tiles.narrow:run_narrow", arguments, units=self.pixels_an_image)

    def _portable(self, lhs: Buffer, out: Buffer, residual: Buffer) -> Task:
        if self.epilogue.fixed:
            return self._portable_fixed(lhs, out)
        arguments = self._portable_arguments(lhs, out, residual)
        return task_of("qbench.kernels.tiles.portable:run", arguments, units=self.pixels_an_image)

    def _portable_arguments(self, lhs: Buffer, out: Buffer, residual: Buffer) -> tuple[Any, ...]:
        source = self.product.lhs_dtype
        tables = (self.tables[name] for name in ("lhs_rows", "out_rows", "residual_rows", "k_offsets"))
        params = (self.params[name] for name in ("correction", "scale", "offset", "shift"))
        extra = residual.view(np.float32 if source is np.float32 else np.uint8)
        ends = lhs.view(source), self.weights.data.view(source), out.view(self.epilogue.dtype)
        arrays = (*ends, extra, *tables, *params)
        scalars = (
            *(np.float32(self.scalars[n]) for n in ("low", "high", "residual_scale")),
            self.scalars["sum_correction"],
        )
        w = self.weights
        numbers = (w.channels, (w.k_groups, self.span), w.panel_bytes, flags_of(self.product, self.epilogue))
        return (arrays, scalars, *numbers)

    def _portable_fixed(self, lhs: Buffer, out: Buffer) -> Task:
        source, w = self.product.lhs_dtype, self.weights
        tables = (self.tables[name] for name in ("lhs_rows", "out_rows", "k_offsets"))
        params = (self.params[name] for name in ("correction", "scale", "shift"))
        arrays = (lhs.view(source), w.data.view(source), out, *tables, *params)
        numbers = ((int(self.scalars["low"]), int(self.scalars["high"])), int(self.params["offset"][0]))
        depth = (w.channels, w.k_groups, w.panel_bytes, flags_of(self.product, self.epilogue))
        kernel = "qbench.kernels.tiles.portable:run_fixed"
        return task_of(kernel, (arrays, *numbers, *depth), units=self.pixels_an_image)


def bind(job: Job, weights: PackedWeights, params: ChannelParams) -> BoundConv:
    """Join packed weights (`pack_weights`) and per-channel parameters to a job.

    Raises:
        ValueError: a pixel of the output cannot hold the channels, padding would be counted in the rows' sums, or codes
            in whole numbers are asked for anything more.
    """
    product, variant, lhs, out = job.product, job.variant, job.lhs, job.out
    if variant != PORTABLE and out.words < weights.channels:
        raise ValueError(f"{weights.channels} channels are stored in pixels of {out.words}: each would run over others")
    facts, sums = multiplier_of(product, dot_of(variant)), params.shift is not None
    shape = tiling(variant, product, len(params.offset), lhs.channels, group_size=params.group_size, sums=sums)
    numbers = product.numbers * shape.spread
    tables, offsets = _tables(job, weights, 4 * facts.lhs_words * shape.spread, numbers)
    if sums and weights.k_groups > offsets:
        raise ValueError(f"{weights.k_groups - offsets} padding k-groups would be counted in the rows' sums")
    if params.fixed is not None and not (job.epilogue == Epilogue("u8") and not sums and not params.group_size):
        raise ValueError(f"requantizing in whole numbers: expected the epilogue u8 alone, got {job.epilogue}")
    params = folded(params)
    arrays = numbers_of_channels(params, weights, 1 if variant == PORTABLE else facts.multiple, shape.width)
    scalars = {
        "low": params.low, "high": params.high, "residual_scale": params.residual_scale,
        "sum_correction": params.sum_correction + SIGN * numbers * weights.k_groups * (weights.code_sums is not None),
    }  # fmt: skip
    is_grouped = params.group_size > 0
    has_brief = is_grouped and is_brief(arrays["scale"])
    if has_brief and variant != PORTABLE:
        arrays["scale"] = brief(arrays["scale"])
    if is_grouped and variant != PORTABLE and weights.code_sums is None:
        arrays["correction"] = np.zeros(0, np.int32)  # all are 0, and no tile reads them
    ranges = _ranges(job, weights, params, offsets)
    epilogue = replace(
        job.epilogue, fixed=params.fixed is not None, brief=has_brief, split=weights.order is not None,
        widened=weights.widened, ranged=ranges is not None,
        wide=job.epilogue.kind == "u8" and largest(params, weights.k_groups * numbers) >= INT32_END,
    )  # fmt: skip
    span = params.group_size // numbers or weights.k_groups
    return BoundConv(product, epilogue, variant, lhs, out, weights, shape, arrays, scalars, tables, span, ranges)


def _tables(job: Job, weights: PackedWeights, group_bytes: int, numbers: int) -> tuple[dict[str, Offsets], int]:
    """Return the tables of offsets, and how many k-groups of `numbers` the window has itself, padding apart."""
    lhs, out, window = job.lhs, job.out, job.window
    offsets = lhs.tap_offsets(window.kernel, window.dilations, group_bytes, -(-lhs.channels // numbers))
    own = len(offsets)
    if weights.order is not None:
        offsets = weights.order.places(offsets)
    rows_out = at_least(out.pixel_offsets())
    missing = np.zeros((*offsets.shape[:-1], weights.k_groups - own), np.int64)
    tables = {
        "lhs_rows": at_least(lhs.window_offsets((out.height, out.width), window.strides, window.pads[:2])),
        "out_rows": rows_out,
        "residual_rows": rows_out if job.residual is None else at_least(job.residual.pixel_offsets()),
        "k_offsets": np.concatenate([offsets, missing], axis=-1),
    }
    return tables, own


def _ranges(job: Job, weights: PackedWeights, params: ChannelParams, own: int) -> Ranges | None:
    """Return which k-groups tiles need where the code of zero is 0, or None where all are multiplied."""
    plain = weights.order is None and weights.code_sums is None and params.shift is None and not params.group_size
    if not (job.zero_padding and plain) or job.variant == PORTABLE or job.product.is_words or job.product.is_signed:
        return None
    found = ranges_of(
        job.window, job.lhs, job.out, k_groups=weights.k_groups, groups_a_tap=own // math.prod(job.window.kernel)
    )
    return None if found is None or found.unit % multiplier_of(job.product).planes else found
