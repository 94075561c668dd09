"""Building blocks of panels on Hopper: weights unpacked into the registers of warpgroups, lhs rows in shared memory.

The left operand is 64 columns of the product a warpgroup, the right one 8 to 128 lhs rows in rows of 128 bytes: one
group. One instruction reads each lhs byte once for 64 columns, where `mma.sync` loads it for every 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qbench.kernels.cuda.block import block
from qbench.kernels.cuda.hopper import GROUP_ROWS, GROUP_THREADS, ROW_BYTES
from qbench.kernels.cuda.multiply import STEP_BYTES
from qbench.kernels.cuda.panel import MAGIC, MAGIC_BITS, PanelShape
from qbench.kernels.cuda.products import Product
from qbench.kernels.cuda.shapes import CHUNK
from qbench.kernels.cuda.skinny import BLOCK_BYTES, COLUMNS, HALF, KINDS

BLOCKS = 2
"""Blocks of 64 codes that a group of 128 is."""

GROUP_SIZE = ROW_BYTES


@dataclass(frozen=True, slots=True)
class HopperPanelShape:
    """A block's sizes: `down` x `across` warpgroups of `tall` lhs rows by 64 columns each, `stages` groups ahead."""

    down: int
    across: int
    tall: int
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
        """Bytes of a stage's lhs rows."""
        return self.rows * ROW_BYTES

    @property
    def rhs_bytes(self) -> int:
        """Bytes of a stage's packed weights."""
        return self.columns * GROUP_SIZE // 2

    @property
    def stage_bytes(self) -> int:
        """Bytes of a stage without its scales: a multiple of 1024, as swizzled rows ask for."""
        return self.lhs_bytes + self.rhs_bytes

    @property
    def scale_bytes(self) -> int:
        """Bytes of a stage's scales, which lie behind all stages."""
        return 4 * self.columns

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
        """The sizes in words, e.g. `64x64d2s8`."""
        return f"{self.rows}x{self.columns}d{self.down}s{self.stages}"


def copy_tiles(shape: HopperPanelShape, copiers: int) -> Any:
    """Return the block (rhs, byte of the first tile, bytes between tiles, shared address, thread): copies weights.

    A tile's 16 columns by a group are 1024 bytes side by side.
    """
    tile_bytes = BLOCKS * BLOCK_BYTES
    passes = shape.rhs_bytes // (CHUNK * copiers)

    def copy_tiles_macro(ops: Any, rhs: Any, first: Any, stride: Any, target: Any, thread: Any) -> None:
        for i in range(passes):
            at = ops.binary("mul", ops.binary("add", thread, copiers * i), CHUNK)
            tile, inner = ops.binary("div", at, tile_bytes), ops.binary("and", at, tile_bytes - 1)
            source = ops.binary("add", ops.binary("add", first, inner), ops.binary("mul", tile, stride))
            ops.copy_async(ops.binary("add", target, at), rhs, source, CHUNK)

    return block(copy_tiles_macro)


def add_group(product: Product, shape: HopperPanelShape) -> Any:
    """Return the block (total, packed, lhs, scales) -> total + a scaled group.

    Shared addresses: of the lane's weights, of the warpgroup's lhs rows, of the scale of the lane's first column.
    """
    count, kind = shape.tall // 2, KINDS[product.mma]
    ratio = 2.0**-product.shift

    def add_group_macro(ops: Any, total: list[Any], packed: Any, lhs: Any, scales: Any) -> list[Any]:
        words = [ops.shared_load(ops.binary("add", packed, BLOCK_BYTES * i), 4) for i in range(BLOCKS)]
        left = [[product.unpack(ops, v, plane) for v in four] for four in words for plane in range(product.planes)]
        pair = [ops.as_float(ops.shared_load(ops.binary("add", scales, 4 * HALF * i), 1)[0]) for i in range(2)]
        acc = [ops.constant(MAGIC_BITS)] * count
        ops.wgmma_fence()
        for step, four in enumerate(left):
            acc = ops.wgmma_left(kind, acc, four, ops.binary("add", lhs, STEP_BYTES * step))
        ops.wgmma_commit()
        acc = ops.wgmma_wait(acc, 0)
        factor, minus = ops.constant_float(ratio), ops.constant_float(-MAGIC * ratio)
        sums = [ops.fma(ops.as_float(value), factor, minus) for value in acc]
        return [ops.fma(v, pair[i // 2 % 2], t) for i, (v, t) in enumerate(zip(sums, total, strict=True))]

    return block(add_group_macro, "f32", count)
