"""Building blocks of panels on Hopper: weights unpacked into the registers of warpgroups, lhs rows in shared memory.

The left operand is 64 columns of the product a warpgroup, the right one 8 to 128 lhs rows in rows of 128 bytes: one
group. One instruction reads each lhs byte once for 64 columns, where `mma.sync` loads it for every 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.copies import target
from qbench.kernels.cuda.language.shapes import CHUNK
from qbench.kernels.cuda.multiply.fragments import STEP_BYTES
from qbench.kernels.cuda.multiply.hopper import GROUP_ROWS, GROUP_THREADS, ROW_BYTES
from qbench.kernels.cuda.multiply.panel import MAGIC, MAGIC_BITS
from qbench.kernels.cuda.multiply.panel_shape import PanelShape
from qbench.kernels.cuda.multiply.products import Product
from qbench.kernels.cuda.multiply.skinny import BLOCK_BYTES, COLUMNS, HALF, KINDS

BLOCKS = 2
"""Blocks of 64 codes that a group of 128 is."""

GROUP_SIZE = ROW_BYTES


@dataclass(frozen=True, slots=True)
class HopperPanelShape:
    """A block's sizes: `down` x `across` warpgroups of `tall` lhs rows by 64 columns each.

    Args:
        down: warpgroups that share columns.
        across: warpgroups that share lhs rows.
        tall: lhs rows of a warpgroup, a multiple of 8.
        units: groups of a stage.
        stages: stages of shared memory, those being copied included.
    """

    down: int
    across: int
    tall: int
    units: int
    stages: int

    @property
    def rows(self) -> int:
        """Lhs rows of the panel."""
        return self.down * self.tall

    @property
    def columns(self) -> int:
        """Columns of the panel."""
        return self.across * GROUP_ROWS

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.down * self.across * GROUP_THREADS

    @property
    def lhs_bytes(self) -> int:
        """Bytes of a stage's lhs rows, group after group."""
        return self.rows * ROW_BYTES * self.units

    @property
    def rhs_bytes(self) -> int:
        """Bytes of a stage's packed weights."""
        return self.columns * GROUP_SIZE // 2 * self.units

    @property
    def stage_bytes(self) -> int:
        """Bytes of a stage without its scales: a multiple of 1024, as swizzled rows ask for."""
        return self.lhs_bytes + self.rhs_bytes

    @property
    def scale_bytes(self) -> int:
        """Bytes of a stage's scales, which lie behind all stages."""
        return 4 * self.columns * self.units

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a block: its stages, or the patch that the epilogue reads."""
        return max(self.stages * (self.stage_bytes + self.scale_bytes), 4 * self.rows * self.columns)

    @property
    def totals(self) -> PanelShape:
        """A warpgroup's totals, which lie as those of panels do."""
        return PanelShape(self.tall, self.columns // COLUMNS)

    @property
    def token(self) -> str:
        """The sizes in words, e.g. `64x64d2u1s8`."""
        return f"{self.rows}x{self.columns}d{self.down}u{self.units}s{self.stages}"


def take_offsets(shape: HopperPanelShape) -> Any:
    """Return the block (table, stage, thread) -> the offset of the thread's piece in every group of a stage."""
    pieces = ROW_BYTES // CHUNK

    def take_offsets_macro(ops: Any, table: Any, stage: Any, thread: Any) -> list[Any]:
        own = ops.binary("add", ops.binary("mul", stage, shape.units * pieces), ops.binary("and", thread, pieces - 1))
        return [ops.load(table, ops.binary("add", own, pieces * i), "i32") for i in range(shape.units)]

    return block(take_offsets_macro, "i32", shape.units)


def copy_rows(shape: HopperPanelShape, copiers: int) -> Any:
    """Return the block (lhs, offsets of rows, of pieces, stage address, thread): copies the thread's pieces."""
    pieces = ROW_BYTES // CHUNK
    group_bytes = shape.rows * ROW_BYTES

    def copy_rows_macro(ops: Any, lhs: Any, offsets: list[Any], k_offsets: list[Any], stage: Any, thread: Any) -> None:
        piece, first = ops.binary("and", thread, pieces - 1), ops.binary("ushr", thread, pieces.bit_length() - 1)
        for i, offset in enumerate(offsets):
            row = ops.binary("add", first, copiers // pieces * i)
            at = target(ops, stage, row, piece, depth_bytes=ROW_BYTES, piece=CHUNK)
            for unit, k_offset in enumerate(k_offsets):
                ops.copy_async(
                    ops.binary("add", at, group_bytes * unit), lhs, ops.binary("add", offset, k_offset), CHUNK
                )

    return block(copy_rows_macro)


def copy_tiles(shape: HopperPanelShape, copiers: int) -> Any:
    """Return the block (rhs, byte of the first tile, bytes between tiles, shared address, thread): copies weights.

    A tile's 16 columns by a stage lie side by side.
    """
    tile_bytes = BLOCKS * BLOCK_BYTES * shape.units
    passes = shape.rhs_bytes // (CHUNK * copiers)

    def copy_tiles_macro(ops: Any, rhs: Any, first: Any, stride: Any, shared: Any, thread: Any) -> None:
        for i in range(passes):
            at = ops.binary("mul", ops.binary("add", thread, copiers * i), CHUNK)
            tile, inner = ops.binary("div", at, tile_bytes), ops.binary("and", at, tile_bytes - 1)
            source = ops.binary("add", ops.binary("add", first, inner), ops.binary("mul", tile, stride))
            ops.copy_async(ops.binary("add", shared, at), rhs, source, CHUNK)

    return block(copy_tiles_macro)


class _Stage:
    """The unrolled products of a stage."""

    def __init__(self, product: Product, shape: HopperPanelShape) -> None:
        self.product, self.shape, self.kind = product, shape, KINDS[product.mma]

    def start(self, ops: Any, packed: Any, lhs: Any) -> list[Any]:
        """Start a group's products; return its sums, which are there when they have been waited for."""
        words = [ops.shared_load(ops.binary("add", packed, BLOCK_BYTES * i), 4) for i in range(BLOCKS)]
        planes = range(self.product.planes)
        left = [[self.product.unpack(ops, v, plane) for v in four] for four in words for plane in planes]
        acc: list[Any] = ops.fresh(MAGIC_BITS, self.shape.tall // 2)
        ops.wgmma_fence()
        for step, four in enumerate(left):
            acc = ops.wgmma_left(self.kind, acc, four, ops.binary("add", lhs, STEP_BYTES * step))
        ops.wgmma_commit()
        return acc

    def add(self, ops: Any, total: list[Any], acc: list[Any], scales: Any) -> list[Any]:
        """Return total + scaled sums."""
        ratio = 2.0**-self.product.shift
        pair = [ops.as_float(ops.shared_load(ops.binary("add", scales, 4 * HALF * i), 1)[0]) for i in range(2)]
        factor, minus = ops.constant_float(ratio), ops.constant_float(-MAGIC * ratio)
        sums = [ops.fma(ops.as_float(value), factor, minus) for value in acc]
        return [ops.fma(v, pair[i // 2 % 2], t) for i, (v, t) in enumerate(zip(sums, total, strict=True))]


def add_groups(product: Product, shape: HopperPanelShape) -> Any:
    """Return the block (total, packed, lhs, scales) -> total + the scaled groups of a stage, in order.

    Shared addresses: of the lane's weights, of the warpgroup's lhs rows, of the scale of the lane's first column. All
    groups' products are under way before the first one's sums are scaled.
    """
    parts, group_bytes = _Stage(product, shape), shape.rows * ROW_BYTES

    def add_groups_macro(ops: Any, total: list[Any], packed: Any, lhs: Any, scales: Any) -> list[Any]:
        units, tile = range(shape.units), BLOCKS * BLOCK_BYTES
        accs = [
            parts.start(ops, ops.binary("add", packed, tile * i), ops.binary("add", lhs, group_bytes * i))
            for i in units
        ]
        for unit in units:
            acc = ops.wgmma_wait(accs[unit], shape.units - 1 - unit)
            total = parts.add(ops, total, acc, ops.binary("add", scales, 4 * shape.columns * unit))
        return total

    return block(add_groups_macro, "f32", shape.tall // 2)
