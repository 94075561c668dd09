"""Building blocks for 8 or 16 lhs rows at a time: weights stream from memory to registers, in the order of lanes.

Weights are the left operand of the instruction (16 columns of the product), lhs rows the right one (8 rows, once or
twice). A block of
the depth is what 16 packed bytes a lane hold: `planes` instructions. The four lanes of a column own a quarter of the
block's depth each, in order, so that a lane's lhs bytes lie side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.cuda.block import block
from qbench.kernels.cuda.multiply import STEP_BYTES, as_sum
from qbench.kernels.cuda.products import Product, fields_of

COLUMNS, HALF = 16, 8
"""Columns of a warp, and the lhs rows of one instruction."""

BLOCK_BYTES = 512
"""Packed bytes of 16 columns by one block of depth: 16 a lane."""

KINDS = {"u8s8": "s8u8"}
"""The instruction with its operands exchanged, where that is another one."""


def lhs_block_bytes(product: Product) -> int:
    """Return the bytes of a lhs row that a block takes."""
    return STEP_BYTES * product.planes


def pack_lanes(rows: npt.NDArray[np.int16], product: Product) -> npt.NDArray[np.uint8]:
    """Return codes (columns, depth) as `[columns / 16][blocks][32 lanes][4 words]`.

    Word j of lane (g, q) holds, at plane p, column g + 8 * (j % 2) and the q-th quarter's codes of step p: the first
    half of them for j < 2, else the second.
    """
    codes_a_block = product.codes_a_step * product.planes
    eighth = product.codes_a_step // 8
    shape = (len(rows) // COLUMNS, 2, 8, rows.shape[1] // codes_a_block, 4, product.planes, 2, eighth)
    order = (0, 3, 2, 4, 6, 1, 5, 7)  # (tile, block, g, q, half, upper, plane, code)
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


class _Blocks:
    """The unrolled products of some blocks of depth."""

    def __init__(self, product: Product, rows: int) -> None:
        self.product, self.halves = product, rows // HALF
        self.kind = KINDS.get(product.mma, product.mma)
        self.words = 2 * product.planes

    def load(self, ops: Any, rhs: Any, rhs_at: Any, lhs: Any, lhs_at: list[Any]) -> tuple[list[Any], list[list[Any]]]:
        """Return a block's packed words, and the lhs words of each half of the rows."""
        size = min(self.words, 4)
        right = []
        for at in lhs_at[: self.halves]:
            parts = [ops.load_words(lhs, ops.binary("add", at, 4 * i), size) for i in range(0, self.words, size)]
            right.append([word for part in parts for word in part])
        return ops.stream_words(rhs, rhs_at), right

    def add(self, ops: Any, acc: list[Any], packed: list[Any], right: list[list[Any]]) -> list[Any]:
        """Return acc + a block's products."""
        for plane in range(self.product.planes):
            left = [self.product.unpack(ops, word, plane) for word in packed]
            words = slice(2 * plane, 2 * plane + 2)
            sums = ops.mma(self.kind, [(acc[4 * h : 4 * h + 4], left, right[h][words]) for h in range(self.halves)])
            acc = [value for four in sums for value in four]
        return acc


def add_units(product: Product, rows: int, blocks: int, units: int) -> Any:
    """Return the block (acc, rhs, byte, step, lhs, bytes, step) -> acc + products of `units` units of `blocks` blocks.

    All loads come first. A step is the distance in bytes between units; `bytes` has one for each half of the rows.
    """
    parts = _Blocks(product, rows)

    def add_units_macro(
        ops: Any, acc: list[Any], rhs: Any, rhs_at: Any, rhs_step: Any, lhs: Any, lhs_at: Any, lhs_step: Any
    ) -> list[Any]:
        places = ((rhs_at, rhs_step), (lhs_at, lhs_step))
        for packed, right in _loads(ops, parts, rhs, lhs, places, (units, blocks)):
            acc = parts.add(ops, acc, packed, right)
        return acc

    return block(add_units_macro, "f32" if product.is_float else "i32", rows // 2)


def _loads(
    ops: Any,
    parts: _Blocks,
    rhs: Any,
    lhs: Any,
    places: tuple[tuple[Any, Any], tuple[Any, Any]],
    count: tuple[int, int],
) -> list[tuple[list[Any], list[list[Any]]]]:
    (rhs_at, rhs_step), (lhs_at, lhs_step) = places
    found = []
    for unit in range(count[0]):
        for number in range(count[1]):
            r = ops.binary("add", ops.binary("mul", rhs_step, unit), BLOCK_BYTES * number)
            left = ops.binary("add", ops.binary("mul", lhs_step, unit), lhs_block_bytes(parts.product) * number)
            here = [ops.binary("add", at, left) for at in lhs_at]
            found.append(parts.load(ops, rhs, ops.binary("add", rhs_at, r), lhs, here))
    return found


def sum_units(product: Product, rows: int, blocks: int, units: int) -> Any:
    """Return the block that lays sums and scales of `units` groups of `blocks` blocks down in shared memory.

    Arguments: rhs, byte, step; lhs, bytes, step; (correction, scale), the lane's index in them, its step; the lane's
    shared address for sums, its step; the one for scales, its step.
    """
    parts = _Blocks(product, rows)
    zero = "zero_f32" if product.is_float else "zero_i32"

    def sum_units_macro(
        ops: Any, rhs: Any, rhs_at: Any, rhs_step: Any, lhs: Any, lhs_at: Any, lhs_step: Any,
        params: Any, index: Any, index_step: Any, slot: Any, slot_step: Any, scales: Any, scales_step: Any,
    ) -> None:  # fmt: skip
        correction, scale = params
        loaded = _loads(ops, parts, rhs, lhs, ((rhs_at, rhs_step), (lhs_at, lhs_step)), (units, blocks))
        for unit in range(units):
            at = ops.binary("add", index, ops.binary("mul", index_step, unit))
            factors = [_factors(ops, product, correction, scale, ops.binary("add", at, 8 * i)) for i in range(2)]
            acc = [getattr(ops, zero)] * (rows // 2)
            for packed, right in loaded[unit * blocks : (unit + 1) * blocks]:
                acc = parts.add(ops, acc, packed, right)
            sums = [ops.as_bits(as_sum(ops, product, value, factors[i % 4 // 2][0])) for i, value in enumerate(acc)]
            _lay_down(ops, sums, ops.binary("add", slot, ops.binary("mul", slot_step, unit)), rows)
            place = ops.binary("add", scales, ops.binary("mul", scales_step, unit))
            for i in range(2):  # the four lanes of a column write the same
                ops.shared_store(ops.binary("add", place, 32 * i), [ops.as_bits(factors[i][1])])

    return block(sum_units_macro)


def _factors(ops: Any, product: Product, correction: Any, scale: Any, index: Any) -> tuple[Any, Any]:
    """Return a column's correction (none for float sums) and scale."""
    return None if product.is_float else ops.load(correction, index, "i32"), ops.load(scale, index, "f32")


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


def gather(product: Product, *, grouped: bool) -> Any:
    """Return the block (total word, address of a sum, address of its scale) -> the total with the sum.

    Groups are fma(sum, scale, total); without groups sums are added.
    """

    def gather_macro(ops: Any, total: Any, address: Any, scale_address: Any) -> Any:
        word = ops.shared_load(address, 1)[0]
        if grouped:
            scale = ops.as_float(ops.shared_load(scale_address, 1)[0])
            return ops.as_bits(ops.fma(ops.as_float(word), scale, ops.as_float(total)))
        if product.is_float:
            return ops.as_bits(ops.float_binary("add", ops.as_float(total), ops.as_float(word)))
        return ops.binary("add", total, word)

    return block(gather_macro, "i32")


def start_word(*, grouped: bool) -> Any:
    """Return the block (offset, column) -> the word that a total begins at: groups at the column's offset, else 0."""

    def start_word_macro(ops: Any, offset: Any, column: Any) -> Any:
        return ops.as_bits(ops.load(offset, column, "f32")) if grouped else ops.constant(0)

    return block(start_word_macro, "i32")


def _put_word_macro(ops: Any, word: Any, address: Any) -> None:
    ops.shared_store(address, [word])


put_word = block(_put_word_macro)
