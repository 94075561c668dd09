"""Building blocks of panels: 4-bit weights stream through shared memory to the lanes that multiply them.

Weights are the left operand of the instruction (16 columns of the product) and lie in the order of lanes, as
`skinny.pack_lanes` packs them; lhs rows are the right one, 8 at a time. A stage of shared memory holds whole groups:
the lhs rows in parts of a block's depth, the warps' weights, and the groups' scales. A group's sums begin at the bits
of 1.5 * 2**23, so that their own bits are a float32 and one `fma` makes them what the law scales: conversions have a
quarter of its rate.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.shapes import CHUNK, WARP
from qbench.kernels.cuda.multiply.panel_shape import PanelBytes, PanelShape
from qbench.kernels.cuda.multiply.skinny import BLOCK_BYTES, HALF, KINDS, lhs_block_bytes

LINE_BYTES = 128
"""Bytes of a line of the caches."""

MAGIC_BITS, MAGIC = 0x4B400000, 12582912
"""1.5 * 2**23: the bits of the float32, and its value. Sums within 2**22 of it keep their last bit."""


def copy_rows(sizes: PanelBytes, copiers: int) -> Any:
    """Return the block (lhs, offsets, offset of the piece, stage address, thread): copies this thread's pieces.

    A row's pieces of 16 bytes lie in parts of a block's depth, the rows side by side in each: eight lanes that load a
    part of two rows find 128 bytes in a line.
    """
    pieces, part = sizes.depth // CHUNK, lhs_block_bytes(sizes.product)
    rows_a_pass, in_part = copiers // pieces, part // CHUNK

    def copy_rows_macro(ops: Any, lhs: Any, offsets: list[Any], k_offset: Any, stage: Any, thread: Any) -> None:
        piece = ops.binary("and", thread, pieces - 1)
        row = ops.binary("ushr", thread, pieces.bit_length() - 1)
        outer = ops.binary("mul", ops.binary("div", piece, in_part), part * sizes.shape.tall)
        inner = ops.binary("mul", ops.binary("and", piece, in_part - 1), CHUNK)
        own = ops.binary("add", stage, ops.binary("add", outer, ops.binary("add", inner, ops.binary("mul", row, part))))
        for i, offset in enumerate(offsets):
            target = ops.binary("add", own, part * rows_a_pass * i)
            ops.copy_async(target, lhs, ops.binary("add", offset, k_offset), CHUNK)

    return block(copy_rows_macro)


def copy_share(sizes: PanelBytes) -> Any:
    """Return the block (rhs, the lane's byte, the lane's shared address): copies what the lane itself will load."""

    def copy_share_macro(ops: Any, rhs: Any, rhs_at: Any, target: Any) -> None:
        for start in range(0, sizes.share, BLOCK_BYTES):
            ops.copy_async(ops.binary("add", target, start), rhs, ops.binary("add", rhs_at, start), CHUNK)

    return block(copy_share_macro)


def prefetch_shares(sizes: PanelBytes, ahead: int) -> Any:
    """Return the block (rhs, first byte, bytes of a stage, last stage, lane): asks for a warp's weights of all stages.

    Copies of a stage wait for the tables of lhs rows, which a cold cache brings from memory first: 0.8 us.
    """
    lines = sizes.share // LINE_BYTES

    def prefetch_shares_macro(ops: Any, rhs: Any, first: Any, stride: Any, last: Any, lane: Any) -> None:
        inner = ops.binary("mul", ops.binary("and", lane, lines - 1), LINE_BYTES)
        for turn in range(-(-ahead * lines // WARP)):
            stage = ops.minimum(ops.binary("add", ops.binary("div", lane, lines), WARP // lines * turn), last)
            ops.prefetch(rhs, ops.binary("add", first, ops.binary("add", inner, ops.binary("mul", stage, stride))))

    return block(prefetch_shares_macro)


def copy_scales(columns: int) -> Any:
    """Return the block (scale, first group, its columns, first column, shared address, thread): copies four scales."""
    quads = columns // 4

    def copy_scales_macro(ops: Any, scale: Any, group: Any, stride: Any, column: Any, target: Any, thread: Any) -> None:
        own = ops.binary("add", group, ops.binary("div", thread, quads))
        first = ops.binary("add", column, ops.binary("mul", ops.binary("and", thread, quads - 1), 4))
        at = ops.binary("mul", ops.binary("add", first, ops.binary("mul", own, stride)), 4)
        ops.copy_async(ops.binary("add", target, ops.binary("mul", thread, CHUNK)), scale, at, CHUNK)

    return block(copy_scales_macro)


class Groups:
    """The unrolled products of a warp's groups of a stage."""

    def __init__(self, sizes: PanelBytes) -> None:
        self.sizes, self.product, self.shape = sizes, sizes.product, sizes.shape
        self.halves = self.shape.tall // HALF

    def each(self, ops: Any, packed: Any, lhs: Any) -> list[list[Any]]:
        """Return every group's sums as float32: of columns g and g + 8, rows 2q and 2q + 1 of each eight."""
        size = self.sizes.blocks
        return [self._sums(ops, packed, lhs, range(size * i, size * (i + 1))) for i in range(self.shape.units)]

    def _sums(self, ops: Any, packed: Any, lhs: Any, blocks: range) -> list[Any]:
        acc = [ops.constant(MAGIC_BITS)] * (4 * self.halves)
        for number in blocks:
            acc = self._add_block(ops, acc, packed, lhs, number)
        ratio = 2.0**-self.product.shift
        factor, minus = ops.constant_float(ratio), ops.constant_float(-MAGIC * ratio)
        return [ops.fma(ops.as_float(value), factor, minus) for value in acc]

    def _add_block(self, ops: Any, acc: list[Any], packed: Any, lhs: Any, number: int) -> list[Any]:
        words = ops.shared_load(ops.binary("add", packed, BLOCK_BYTES * number), 4)
        part = lhs_block_bytes(self.product)
        start = ops.binary("add", lhs, part * self.shape.tall * number)
        right = [ops.shared_load(ops.binary("add", start, part * HALF * h), 4) for h in range(self.halves)]
        for plane in range(self.product.planes):
            left = [self.product.unpack(ops, word, plane) for word in words]
            places = slice(2 * plane, 2 * plane + 2)
            cells = [(acc[4 * h : 4 * h + 4], left, right[h][places]) for h in range(self.halves)]
            acc = [value for four in ops.mma(KINDS[self.product.mma], cells) for value in four]
        return acc


def add_groups(sizes: PanelBytes) -> Any:
    """Return the block (total, packed, lhs, scales) -> total + the stage's scaled groups, in order.

    Arguments but the first are the lane's shared addresses: of its weights, its first row, its first column's scale.
    """
    parts = Groups(sizes)

    def add_groups_macro(ops: Any, total: list[Any], packed: Any, lhs: Any, scales: Any) -> list[Any]:
        for number, sums in enumerate(parts.each(ops, packed, lhs)):
            at = ops.binary("add", scales, 4 * sizes.shape.columns * number)
            pair = [ops.as_float(ops.shared_load(ops.binary("add", at, 4 * HALF * i), 1)[0]) for i in range(2)]
            total = [ops.fma(v, pair[i // 2 % 2], t) for i, (v, t) in enumerate(zip(sums, total, strict=True))]
        return total

    return block(add_groups_macro, "f32", sizes.shape.tall // 2)


def lay_down_groups(sizes: PanelBytes) -> Any:
    """Return the block (packed, lhs, table) that writes a warp's groups to their tables: addresses of the lane."""
    parts, pitch = Groups(sizes), 4 * sizes.shape.pitch_words

    def lay_down_groups_macro(ops: Any, packed: Any, lhs: Any, table: Any) -> None:
        for number, sums in enumerate(parts.each(ops, packed, lhs)):
            for cell in range(0, len(sums), 2):
                at = sizes.table * number + cell // 2 % 2 * HALF * pitch + 4 * HALF * (cell // 4)
                ops.shared_store(ops.binary("add", table, at), [ops.as_bits(v) for v in sums[cell : cell + 2]])

    return block(lay_down_groups_macro)


def gather(sizes: PanelBytes) -> Any:
    """Return the block (total, table, scale) -> total + all groups of a stage, in order.

    Its addresses are of the thread's first sum and its column's scale in the stage's first group.
    """
    shape = sizes.shape
    width = min(shape.totals, 4)

    def gather_macro(ops: Any, total: list[Any], table: Any, scales: Any) -> list[Any]:
        for number in range(shape.groups):
            own = ops.binary("add", table, sizes.table * number)
            loads = [ops.shared_load(ops.binary("add", own, 4 * i), width) for i in range(0, shape.totals, width)]
            scale = ops.as_float(ops.shared_load(ops.binary("add", scales, 4 * shape.columns * number), 1)[0])
            words = [ops.as_float(word) for four in loads for word in four]
            total = [ops.fma(word, scale, t) for word, t in zip(words, total, strict=True)]
        return total

    return block(gather_macro, "f32", shape.totals)


def start_totals(shape: PanelShape) -> Any:
    """Return the block (offset, the thread's column) -> its totals, which begin at their column's offset."""

    def start_totals_macro(ops: Any, offset: Any, column: Any) -> list[Any]:
        if shape.is_split:
            return [ops.load(offset, column, "f32")] * shape.totals
        pair = [ops.load(offset, ops.binary("add", column, HALF * i), "f32") for i in range(2)]
        return [pair[i // 2 % 2] for i in range(shape.totals)]

    return block(start_totals_macro, "f32", shape.totals)


def lay_down_totals(shape: PanelShape) -> Any:
    """Return the block (total, the thread's shared address): writes totals to the patch, row by row."""
    pitch = 4 * shape.columns

    def lay_down_totals_macro(ops: Any, total: list[Any], patch: Any) -> None:
        for i, value in enumerate(total):
            row, upper = (i, 0) if shape.is_split else (HALF * (i // 4) + i % 2, i // 2 % 2)
            ops.shared_store(ops.binary("add", patch, pitch * row + 4 * HALF * upper), [ops.as_bits(value)])

    return block(lay_down_totals_macro)
