"""Building blocks for 8 or 16 lhs rows at a time: weights stream from memory to registers, in the order of lanes.

Weights are the left operand of the instruction (16 columns of the product), lhs rows the right one (8 rows, once or
twice). A block of
the depth is what 16 packed bytes per lane hold: `planes` instructions. The four lanes of a column own a quarter of the
block's depth each, in order, so that a lane's lhs bytes lie side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.multiply.fragments import STEP_BYTES, as_sum
from qbench.kernels.cuda.multiply.products import Product, fields_of

COLUMNS, HALF = 16, 8
"""Columns of a warp, and the lhs rows of one instruction."""

SCALE_BYTES = 4 * COLUMNS
"""Bytes of a group's scales in shared memory."""

BLOCK_BYTES = 512
"""Packed bytes of 16 columns by one block of depth: 16 a lane."""

KINDS = {"u8s8": "s8u8"}
"""The instruction with its operands exchanged, where that is another one."""


def slot_bytes(rows: int) -> int:
    """Return the bytes of a table of sums in shared memory."""
    return 4 * COLUMNS * rows


def lhs_block_bytes(product: Product) -> int:
    """Return the bytes of a lhs row that a block takes."""
    return STEP_BYTES * product.planes


def pack_lanes(rows: npt.NDArray[np.int16], product: Product, *, in_order: bool = False) -> npt.NDArray[np.uint8]:
    """Return codes (columns, depth) as `[columns / 16][blocks][32 lanes][4 words]`.

    Word j of lane (g, q) holds, at plane p, column g + 8 * (j % 2) and the q-th quarter's codes of step p: the first
    half of them for j < 2, else the second. Steps that are `in_order` are the block's depth in turn, as operands in
    shared memory have it: the first half of step p, its four quads in turn, then the second.
    """
    codes_a_block = product.codes_a_step * product.planes
    eighth = product.codes_a_step // 8
    inner = (product.planes, 2, 4, eighth) if in_order else (4, product.planes, 2, eighth)
    shape = (len(rows) // COLUMNS, 2, 8, rows.shape[1] // codes_a_block, *inner)
    order = (
        (0, 3, 2, 6, 5, 1, 4, 7) if in_order else (0, 3, 2, 4, 6, 1, 5, 7)
    )  # (tile, block, g, q, half, upper, plane, code)
    if product.mma == "b1":
        bits = (rows > 0).reshape(shape).transpose(order)
        return np.packbits(bits, axis=-1, bitorder="little").reshape(-1)
    if product.planes == 1:
        return np.ascontiguousarray(rows.astype(np.int8).reshape(shape).transpose(order)).view(np.uint8).reshape(-1)
    fields = fields_of(rows, product.name).reshape(shape).transpose(order)
    width = 8 // product.planes
    if product.is_float:  # two nibbles a plane, 16 bits apart
        shifts = 4 * np.arange(product.planes, dtype=np.uint32)[:, None] + np.array([0, 16], np.uint32)[None, :]
        words = np.bitwise_or.reduce(fields.astype(np.uint32) << shifts, axis=(-2, -1))
        return np.ascontiguousarray(words.astype(np.uint32)).view(np.uint8).reshape(-1)
    moved = fields << (width * np.arange(product.planes, dtype=np.uint8))[:, None]
    return np.ascontiguousarray(np.bitwise_or.reduce(moved, axis=-2)).reshape(-1)


class Blocks:
    """The unrolled loads and products of `units` units of `blocks` blocks of depth; `warps` units lie between two.

    Units beyond the last are the last one again.
    """

    def __init__(self, product: Product, rows: int, *, blocks: int, units: int, warps: int) -> None:
        self.product, self.rows, self.halves = product, rows, rows // HALF
        self.blocks, self.units, self.warps = blocks, units, warps
        self._kind = KINDS.get(product.mma, product.mma)
        self._lhs_words = 2 * product.planes

    def places(self, ops: Any, unit: Any, last: Any) -> list[Any]:
        """Return the numbers of the units."""
        return [ops.minimum(ops.binary("add", unit, self.warps * i), last) for i in range(self.units)]

    def take(self, ops: Any, rhs: Any, rhs_at: Any, places: list[Any]) -> list[Any]:
        """Return all packed words, four a block."""
        found = []
        for place in places:
            own = ops.binary("add", rhs_at, ops.binary("mul", place, BLOCK_BYTES * self.blocks))
            for number in range(self.blocks):
                found += ops.stream_words(rhs, ops.binary("add", own, BLOCK_BYTES * number))
        return found

    def add(self, ops: Any, acc: list[Any], packed: list[Any], lhs: Any, lhs_at: list[Any], place: Any) -> list[Any]:
        """Return acc + the products of a unit's packed words."""
        size = lhs_block_bytes(self.product)
        for number in range(self.blocks):
            start = ops.binary("add", ops.binary("mul", place, size * self.blocks), size * number)
            right = [self._lhs(ops, lhs, ops.binary("add", at, start)) for at in lhs_at[: self.halves]]
            acc = self._add_block(ops, acc, packed[4 * number : 4 * number + 4], right)
        return acc

    def _lhs(self, ops: Any, lhs: Any, at: Any) -> list[Any]:
        size = min(self._lhs_words, 4)
        parts = [ops.load_words(lhs, ops.binary("add", at, 4 * i), size) for i in range(0, self._lhs_words, size)]
        return [word for part in parts for word in part]

    def _add_block(self, ops: Any, acc: list[Any], packed: list[Any], right: list[list[Any]]) -> list[Any]:
        for plane in range(self.product.planes):
            left = [self.product.unpack(ops, word, plane) for word in packed]
            words = slice(2 * plane, 2 * plane + 2)
            sums = ops.mma(self._kind, [(acc[4 * h : 4 * h + 4], left, right[h][words]) for h in range(self.halves)])
            acc = [value for four in sums for value in four]
        return acc


def take_units(parts: Blocks) -> Any:
    """Return the block (rhs, byte, first unit, last unit) -> the units' packed words: loads alone."""

    def take_units_macro(ops: Any, rhs: Any, rhs_at: Any, unit: Any, last: Any) -> list[Any]:
        return parts.take(ops, rhs, rhs_at, parts.places(ops, unit, last))

    return block(take_units_macro, "i32", 4 * parts.units * parts.blocks)


def add_units(parts: Blocks) -> Any:
    """Return the block (acc, packed words, lhs, bytes, first unit) -> acc + the units' products.

    `bytes` has one for each half of the rows; no unit may lie beyond the last.
    """
    words = 4 * parts.blocks

    def add_units_macro(ops: Any, acc: list[Any], packed: list[Any], lhs: Any, lhs_at: Any, unit: Any) -> list[Any]:
        for i, place in enumerate(parts.places(ops, unit, ops.constant(2**31 - 1))):
            acc = parts.add(ops, acc, packed[words * i : words * i + words], lhs, lhs_at, place)
        return acc

    return block(add_units_macro, "f32" if parts.product.is_float else "i32", parts.rows // 2)


def sum_units(parts: Blocks) -> Any:
    """Return the block that lays sums and scales of groups, a unit each, down in shared memory.

    Arguments: packed words; lhs, bytes; scale, the lane's column in it, columns of a group; the first and the last
    unit; the lane's shared addresses for the first unit's sums and scale.
    """
    product, rows, words = parts.product, parts.rows, 4 * parts.blocks
    slot_step, scale_step = parts.warps * slot_bytes(rows), parts.warps * SCALE_BYTES
    zero = "zero_f32" if product.is_float else "zero_i32"

    def sum_units_macro(
        ops: Any, packed: list[Any], lhs: Any, lhs_at: list[Any], scale: Any, column: Any, columns: Any, unit: Any,
        last: Any, slot: Any, scales: Any,
    ) -> None:  # fmt: skip
        for i, place in enumerate(parts.places(ops, unit, last)):
            at = ops.binary("add", column, ops.binary("mul", columns, place))
            factors = [ops.load(scale, ops.binary("add", at, 8 * upper), "f32") for upper in range(2)]
            blank = [getattr(ops, zero)] * (rows // 2)
            acc = parts.add(ops, blank, packed[words * i : words * i + words], lhs, lhs_at, place)
            sums = [ops.as_bits(as_sum(ops, product, value)) for value in acc]
            _lay_down(ops, sums, ops.binary("add", slot, slot_step * i), rows)
            own = ops.binary("add", scales, scale_step * i)
            for upper in range(2):  # the four lanes of a column write the same
                ops.shared_store(ops.binary("add", own, 32 * upper), [ops.as_bits(factors[upper])])

    return block(sum_units_macro)


def _lay_down(ops: Any, sums: list[Any], slot: Any, rows: int) -> None:
    """Write a lane's sums of columns g and g + 8, rows 2q and 2q + 1 of each half, to a slot of (16 columns, rows)."""
    for half in range(rows // HALF):
        for upper in range(2):
            at = ops.binary("add", slot, 4 * (HALF * half + 8 * upper * rows))
            ops.shared_store(at, sums[4 * half + 2 * upper : 4 * half + 2 * upper + 2])


def lay_down_sums(product: Product, rows: int) -> Any:
    """Return the block (acc, the lane's shared address): writes a warp's sums to its slot."""

    def lay_down_sums_macro(ops: Any, acc: list[Any], slot: Any) -> None:
        _lay_down(ops, [ops.as_bits(v) for v in acc] if product.is_float else acc, slot, rows)

    return block(lay_down_sums_macro)


def gather(product: Product, rows: int, count: int, *, grouped: bool) -> Any:
    """Return the block (total word, address of a sum, address of its scale) -> the total with `count` tables' sums.

    Groups are fma(sum, scale, total), in order; without groups sums are added.
    """

    def gather_macro(ops: Any, total: Any, address: Any, scale: Any) -> Any:
        words = [ops.shared_load(ops.binary("add", address, slot_bytes(rows) * i), 1)[0] for i in range(count)]
        scales: list[Any] = [None] * count
        if grouped:
            scales = [ops.shared_load(ops.binary("add", scale, SCALE_BYTES * i), 1)[0] for i in range(count)]
        for word, factor in zip(words, scales, strict=True):
            total = _gathered(ops, product, total, word, factor)
        return total

    return block(gather_macro, "i32")


def _gathered(ops: Any, product: Product, total: Any, word: Any, scale: Any) -> Any:
    if scale is not None:
        return ops.as_bits(ops.fma(ops.as_float(word), ops.as_float(scale), ops.as_float(total)))
    if product.is_float:
        return ops.as_bits(ops.float_binary("add", ops.as_float(total), ops.as_float(word)))
    return ops.binary("add", total, word)


def start_word(*, grouped: bool) -> Any:
    """Return the block (offset, column) -> the word that a total begins at: groups at the column's offset, else 0."""

    def start_word_macro(ops: Any, offset: Any, column: Any) -> Any:
        return ops.as_bits(ops.load(offset, column, "f32")) if grouped else ops.constant(0)

    return block(start_word_macro, "i32")


def _put_word_macro(ops: Any, word: Any, address: Any) -> None:
    ops.shared_store(address, [word])


put_word = block(_put_word_macro)
