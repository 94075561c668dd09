"""Building blocks for up to 8 lhs rows at a time: weights stream from memory to registers, in the order of lanes.

Weights are the left operand of the instruction (16 columns of the product), lhs rows the right one (8 rows). A block of
the depth is what 16 packed bytes a lane hold: `planes` instructions. The four lanes of a column own a quarter of the
block's depth each, in order, so that a lane's lhs bytes lie side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.cuda.block import block
from qbench.kernels.cuda.multiply import STEP_BYTES, scaled
from qbench.kernels.cuda.products import Product, fields_of

COLUMNS, ROWS = 16, 8
"""Columns and lhs rows of a warp."""

CELLS = COLUMNS * ROWS
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

    def __init__(self, product: Product) -> None:
        self.product = product
        self.kind = KINDS.get(product.mma, product.mma)
        self.words = 2 * product.planes

    def load(self, ops: Any, rhs: Any, rhs_at: Any, lhs: Any, lhs_at: Any) -> tuple[list[Any], list[Any]]:
        """Return a block's packed words and lhs words."""
        size = min(self.words, 4)
        parts = [ops.load_words(lhs, ops.binary("add", lhs_at, 4 * i), size) for i in range(0, self.words, size)]
        return ops.stream_words(rhs, rhs_at), [word for part in parts for word in part]

    def add(self, ops: Any, acc: list[Any], packed: list[Any], right: list[Any]) -> list[Any]:
        """Return acc + a block's products."""
        for plane in range(self.product.planes):
            left = [self.product.unpack(ops, word, plane) for word in packed]
            acc = ops.mma(self.kind, [(acc, left, right[2 * plane : 2 * plane + 2])])[0]
        return acc


def add_units(product: Product, blocks: int, units: int) -> Any:
    """Return the block (acc, rhs, byte, step, lhs, byte, step) -> acc + products of `units` units of `blocks` blocks.

    All loads come first. A step is the distance in bytes between units.
    """
    parts = _Blocks(product)

    def add_units_macro(
        ops: Any, acc: list[Any], rhs: Any, rhs_at: Any, rhs_step: Any, lhs: Any, lhs_at: Any, lhs_step: Any
    ) -> list[Any]:
        places = ((rhs_at, rhs_step), (lhs_at, lhs_step))
        for packed, right in _loads(ops, parts, rhs, lhs, places, (units, blocks)):
            acc = parts.add(ops, acc, packed, right)
        return acc

    return block(add_units_macro, "f32" if product.is_float else "i32", 4)


def _loads(
    ops: Any,
    parts: _Blocks,
    rhs: Any,
    lhs: Any,
    places: tuple[tuple[Any, Any], tuple[Any, Any]],
    count: tuple[int, int],
) -> list[tuple[list[Any], list[Any]]]:
    (rhs_at, rhs_step), (lhs_at, lhs_step) = places
    found = []
    for unit in range(count[0]):
        for number in range(count[1]):
            r = ops.binary("add", ops.binary("mul", rhs_step, unit), BLOCK_BYTES * number)
            left = ops.binary("add", ops.binary("mul", lhs_step, unit), lhs_block_bytes(parts.product) * number)
            found.append(parts.load(ops, rhs, ops.binary("add", rhs_at, r), lhs, ops.binary("add", lhs_at, left)))
    return found


def scale_units(product: Product, blocks: int, units: int) -> Any:
    """Return the block that lays the scaled sums of `units` groups of `blocks` blocks down in shared memory.

    Arguments: rhs, byte, step; lhs, byte, step; correction, scale, the lane's index in them, its step; shared address,
    its step.
    """
    parts = _Blocks(product)
    zero = "zero_f32" if product.is_float else "zero_i32"

    def scale_units_macro(
        ops: Any, rhs: Any, rhs_at: Any, rhs_step: Any, lhs: Any, lhs_at: Any, lhs_step: Any,
        params: Any, index: Any, index_step: Any, slot: Any, slot_step: Any,
    ) -> None:  # fmt: skip
        correction, scale = params
        loaded = _loads(ops, parts, rhs, lhs, ((rhs_at, rhs_step), (lhs_at, lhs_step)), (units, blocks))
        for unit in range(units):
            at = ops.binary("add", index, ops.binary("mul", index_step, unit))
            factors = [_factors(ops, product, correction, scale, ops.binary("add", at, 8 * i)) for i in range(2)]
            acc = [getattr(ops, zero)] * 4
            for packed, right in loaded[unit * blocks : (unit + 1) * blocks]:
                acc = parts.add(ops, acc, packed, right)
            sums = [ops.as_bits(scaled(ops, product, acc[i], *factors[i // 2])) for i in range(4)]
            _lay_down(ops, sums, ops.binary("add", slot, ops.binary("mul", slot_step, unit)))

    return block(scale_units_macro)


def _factors(ops: Any, product: Product, correction: Any, scale: Any, index: Any) -> tuple[Any, Any]:
    """Return a column's correction (none for float sums) and scale."""
    return None if product.is_float else ops.load(correction, index, "i32"), ops.load(scale, index, "f32")


def _lay_down(ops: Any, sums: list[Any], slot: Any) -> None:
    """Write a lane's sums of columns g and g + 8, rows 2q and 2q + 1, to a slot of (16 columns, 8 rows)."""
    ops.shared_store(slot, sums[:2])
    ops.shared_store(ops.binary("add", slot, 4 * 8 * ROWS), sums[2:])


def lay_down_sums(product: Product) -> Any:
    """Return the block (acc, the lane's shared address): writes a warp's sums to its slot."""

    def lay_down_sums_macro(ops: Any, acc: list[Any], slot: Any) -> None:
        _lay_down(ops, [ops.as_bits(v) for v in acc] if product.is_float else acc, slot)

    return block(lay_down_sums_macro)


def gather(product: Product, *, grouped: bool) -> Any:
    """Return the block (total word, shared address) -> total + the word there: floats in order, or whole numbers."""
    floats = grouped or product.is_float

    def gather_macro(ops: Any, total: Any, address: Any) -> Any:
        word = ops.shared_load(address, 1)[0]
        if not floats:
            return ops.binary("add", total, word)
        return ops.as_bits(ops.float_binary("add", ops.as_float(total), ops.as_float(word)))

    return block(gather_macro, "i32")


def _put_word_macro(ops: Any, word: Any, address: Any) -> None:
    ops.shared_store(address, [word])


put_word = block(_put_word_macro)
