"""Winograd convolutions as objects, like those of `conv.operation`."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.tables import INT32_END, largest, numbers_of_channels
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import ALIGNMENT, Layout, Offsets, aligned
from qbench.kernels.native import task_function
from qbench.kernels.product import Product
from qbench.kernels.tasks import Task, float_bits
from qbench.kernels.tiles.operands import PackedWeights, pack_bytes, pack_fields, pack_indices
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import BytesByFewBits, BytesByTable, multiplier_of
from qbench.kernels.tiles.targets import TileShape, target_of, tile_shape
from qbench.kernels.winograd.cutting import Cut, cut, windows_and_pixels
from qbench.kernels.winograd.fields import FIELDS, OF_KINDS, PRODUCT, UNPACKED
from qbench.kernels.winograd.transforms import KINDS, POSITIONS, TAPS

BLOCK_TILES, BLOCK_BYTES = 128, 3 * 1024 * 1024
"""Tiles of a block, and the most bytes of their codes. Weights are transformed once per block: a fourteenth of the
products of 128 tiles. More leave the second-level cache for nothing: 32 images of 16 x 16 pixels and 32 channels are
1.14 times as fast as directly, 1.00 in blocks of 2 MiB; with 64 tiles 16 of 14 x 14 and 256 1.30 times, not 1.42."""
AT_ONCE_BYTES = 256 * 1024
"""Transformed codes and sums that are multiplied at a time, in a 1 MiB second-level cache beside a panel of weights:
1.50 times the direct convolution, 1.46 with 512 KiB, 1.36 with 1 MiB."""
LEAST_TILES = 16
"""Tiles that are multiplied at a time where there are so many: a deep panel of weights is read again for them."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundWinograd:
    """A convolution with its weights, tables and parameters; `task` joins it to buffers.

    The tiles of `block` units (see `fields`) are transformed at a time, of which `at_once` are multiplied.
    """

    product: Product
    epilogue: Epilogue
    variant: str
    lhs: Layout
    weights: PackedWeights
    shape: TileShape
    cut: Cut
    block: int
    at_once: int
    params: dict[str, npt.NDArray[np.generic]]
    scalars: dict[str, float]
    tables: dict[str, Offsets]

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        return f"conv_{self.product}_{self.epilogue.kind}/{self.variant}+winograd"

    @property
    def packed(self) -> PackedWeights:
        """The weights in panels."""
        return self.weights

    @property
    def resident_bytes(self) -> int:
        """Bytes of packed weights and parameters."""
        return self.weights.data.size + sum(array.nbytes for array in self.params.values())

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs."""
        return self._sizes["part_bytes"]

    @property
    def _sizes(self) -> dict[str, int]:
        """Sizes of a thread's scratch; positions stand a line further apart than they need, not in one cache set."""
        depth, width = self.lhs.words, self.shape.width(target_of(self.variant).lanes)
        each = {
            "lhs_position_bytes": self._rows * 2 * depth + ALIGNMENT,
            "rhs_position_bytes": width * 2 * depth + ALIGNMENT,
            "sum_position_bytes": self.at_once * 4 * width + ALIGNMENT,
        }
        rhs_at, weights, sums = (POSITIONS * size for size in each.values())
        return {**each, "rhs_at": rhs_at, "sums_at": rhs_at + weights, "part_bytes": rhs_at + weights + sums}

    @property
    def _rows(self) -> int:
        """Tiles of a block."""
        return self.block * (self.cut.tiles if self.cut.is_mixed else 1)

    @property
    def _units(self) -> dict[str, int]:
        """Units of an image, and where the tiles of each kind are."""
        mixed, images = self.cut.is_mixed, self.lhs.images
        group = 1 if mixed else self.shape.rows
        tiles = self.cut.counts if mixed else tuple(int(count > 0) for count in self.cut.counts)
        found = {"units": 1 if mixed else self.cut.tiles, "group": group, "tiles": sum(tiles)}
        window = pixel = row = 0
        for kind, ((down, right), count, own) in enumerate(zip(KINDS, self.cut.counts, tiles, strict=True)):
            numbers = (own, window, pixel, row)
            found |= {f"{name}_{kind}": number for name, number in zip(OF_KINDS, numbers, strict=True)}
            window, row = window + images * count, row + self.block * own
            pixel += images * count * down.out * right.out
        return found

    def task(
        self, lhs: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], residual: npt.NDArray[np.uint8] | None = None,
        *, scratch: npt.NDArray[np.uint8] | None = None,
    ) -> Task:  # fmt: skip
        """Return the task that reads and writes these buffers of bytes.

        `scratch` is that of all threads, `scratch_bytes` each; without one the task gets its own, for one thread.
        """
        weights, depth, target = self.weights, self.lhs.words, target_of(self.variant)
        width = self.shape.width(target.lanes)
        numbers = {
            **{name: float_bits(self.scalars[name]) for name in ("low", "high", "residual_scale")},
            **self._sizes, **self._units, "channels": weights.channels,
            "depth": depth, "k_groups": depth // 2, "panel_bytes": weights.panel_bytes,
            "tap_bytes": weights.panel_bytes // TAPS, "pixel_bytes": self.lhs.pixel_bytes,
            "row_bytes": self.lhs.padded_width * self.lhs.pixel_bytes, "block": self.block,
            "rows_at_once": self.at_once,
        }  # fmt: skip
        arrays = {
            **self.params, **self.tables,
            "lhs_rows": np.arange(max(self._rows, self.at_once), dtype=np.int64) * 2 * depth,
            "sum_rows": np.arange(self.at_once, dtype=np.int64) * 4 * width,
            "k_offsets": np.arange(depth // 2, dtype=np.int64) * 4,
            "zeros": np.zeros(width, np.int32),
            "lhs": lhs, "rhs": weights.data, "table": weights.table, "out": out,
            "residual": out if residual is None else residual,
            "scratch": aligned(self.scratch_bytes) if scratch is None else scratch,
        }  # fmt: skip
        words = [numbers[name] if name in numbers else arrays[name].ctypes.data for name in FIELDS]
        at_a_time = 32 if depth % 32 == 0 and target.lanes == 16 else 16
        kinds = "".join(str(kind) for kind, count in enumerate(self.cut.counts) if count)
        literals = (str(self.product), str(self.epilogue), self.variant, kinds, at_a_time, *astuple(self.shape))
        function = task_function("qbench.kernels.winograd.driver:blocks_of", *literals)
        return Task(function, np.array(words, np.int64), tuple(arrays.values()))


def bind_winograd(job: Job, weights: Weights, packed: PackedWeights | None = None) -> BoundWinograd:
    """Join weights to a job that `way.Winograd` can run; `packed` are those that lie in `panels` already."""
    codes, params, lhs, out = weights.codes, weights.params, job.lhs, job.out
    target, tiling = target_of(job.variant), panels(len(codes), job.variant)
    if packed is None:
        packed = _packed(weights, job.product, tiling, lhs.words)
    tiles = cut(out)
    windows, pixels = windows_and_pixels(tiles, job.window, lhs, out)
    alike = [count * (lhs.images if tiles.is_mixed else 1) for count in tiles.counts if count]
    shape = tile_shape(target, PRODUCT, Epilogue("s32"), tiling, min(alike), lhs.words // 2)
    codes_bytes, sum_bytes = 2 * POSITIONS * lhs.words, 4 * POSITIONS * tiling.width
    at_once = max(-(-LEAST_TILES // shape.rows), AT_ONCE_BYTES // (codes_bytes + sum_bytes) // shape.rows) * shape.rows
    block = _block(tiles, lhs.images, codes_bytes, shape.rows)
    tables = {
        "windows": windows,
        "out_rows": out.pixel_offsets()[pixels],
        "residual_rows": (out if job.residual is None else job.residual).pixel_offsets()[pixels],
    }
    is_wide = job.epilogue.kind == "u8" and largest(params, codes[0].size) >= INT32_END
    epilogue = Epilogue("u8", fixed=True) if params.fixed is not None else replace(job.epilogue, wide=is_wide)
    arrays = numbers_of_channels(params, packed, 1, tiling.width)
    scalars = {"low": params.low, "high": params.high, "residual_scale": params.residual_scale}
    at_once = min(at_once, -(-lhs.images * max(tiles.counts) // shape.rows) * shape.rows)
    return BoundWinograd(
        job.product, epilogue, job.variant, lhs, packed, shape, tiles, block, at_once, arrays, scalars, tables
    )


def _block(tiles: Cut, images: int, tile_bytes: int, rows: int) -> int:
    """Return the units of a block: images, or whole groups of `rows` tiles."""
    most = block_tiles(tile_bytes)
    if tiles.is_mixed:
        return max(1, min(images, most // tiles.tiles))
    return min(-(-images * tiles.tiles // rows), -(-most // rows)) * rows


def block_tiles(tile_bytes: int) -> int:
    """Return the most tiles of a block, whose transformed codes are `tile_bytes` each."""
    return max(LEAST_TILES, min(BLOCK_TILES, BLOCK_BYTES // tile_bytes))


def panels(channels: int, variant: str) -> Tiling:
    """Return the panels of packed weights: bytes as for dot instructions, channels of the lhs padded to its words."""
    lanes = target_of(variant).lanes
    vectors = 2 if -(-channels // lanes) % 2 == 0 else 1
    return Tiling(vectors * lanes, vectors)


def _packed(weights: Weights, product: Product, tiling: Tiling, depth: int) -> PackedWeights:
    """Pack OHWI codes, or indices into levels, channels padded to `depth` by what stands for 0."""
    codes, values = weights.codes, weights.values
    facts, missing = multiplier_of(product, UNPACKED), depth - codes.shape[-1]
    zero = 0 if values is None or not missing else int(np.flatnonzero(values == 0)[0])
    full = np.pad(codes, ((0, 0), (0, 0), (0, 0), (0, missing)), constant_values=zero).reshape(len(codes), -1)
    if isinstance(facts, BytesByTable) and values is not None:
        return pack_indices(full.astype(np.uint8), values, facts.bits, tiling)
    if isinstance(facts, BytesByFewBits):
        return pack_fields(full.astype(np.int8), facts, tiling)
    return pack_bytes(full.astype(np.int8), tiling)
