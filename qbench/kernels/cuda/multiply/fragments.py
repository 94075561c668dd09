"""Building blocks of a warp's arithmetic: fragments from shared memory, matrix instructions, groups' scales.

A lane holds, of each instruction tile of 16 rows by 8 columns, rows g and g + 8 of columns 2q and 2q + 1, where
g = lane // 4 and q = lane % 4: accumulators 0 and 1 in row g, 2 and 3 in row g + 8.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.shapes import CHUNK, TileShape
from qbench.kernels.cuda.multiply.products import Product

STEP_BYTES = 32
"""Bytes of a lhs row that an instruction takes."""


def steps_a_stage(shape: TileShape) -> int:
    """Return the instructions deep that a stage is."""
    return shape.depth_bytes // STEP_BYTES


def zeros(count: int, *, is_float: bool) -> Any:
    """Return the block () -> `count` zeros."""

    def zeros_macro(ops: Any) -> list[Any]:
        return [ops.zero_f32 if is_float else ops.zero_i32] * count

    return block(zeros_macro, "f32" if is_float else "i32", count)


def lane_address(*, is_lhs: bool, row_bytes: int) -> Any:
    """Return the block (base, lane) -> where the lane's row of the first ldmatrix lies.

    Four 8 x 8 matrices of 16-byte rows: of the lhs rows 0..7 and 8..15, then their next chunk; of the rhs rows 0..7,
    their next chunk, then rows 8..15.
    """
    chunks = min(row_bytes // CHUNK, 8)
    turn_bit = (8 // chunks).bit_length() - 1

    def lane_address_macro(ops: Any, base: Any, lane: Any) -> Any:
        low, bit3, bit4 = ops.binary("and", lane, 7), ops.binary("and", lane, 8), ops.binary("and", lane, 16)
        upper_rows, half = (bit3, ops.binary("ushr", bit4, 4)) if is_lhs else (None, ops.binary("ushr", bit3, 3))
        row = ops.binary("add", low, upper_rows if is_lhs else ops.binary("ushr", bit4, 1))
        turn = ops.binary("and", ops.binary("ushr", row, turn_bit), chunks - 1)
        inner = ops.binary("shl", ops.binary("xor", half, turn), 4)
        return ops.binary("add", base, ops.binary("add", ops.binary("mul", row, row_bytes), inner))

    return block(lane_address_macro, "i32")


class _Stage:
    """The unrolled products of one stage, written once for all kinds of groups."""

    def __init__(self, product: Product, shape: TileShape) -> None:
        self.product, self.shape = product, shape
        self.rhs_row_bytes = shape.depth_bytes // product.planes
        assert self.rhs_row_bytes >= STEP_BYTES, "a stage is at least one pair of packed chunks deep"

    def pair(self, ops: Any, rhs: Any, pair: int) -> list[list[Any]]:
        """Load a pair of chunks of the packed rhs: four words for two tiles of eight columns."""
        at = ops.binary("xor", rhs, STEP_BYTES * pair)
        stride = 16 * self.rhs_row_bytes
        found: list[list[Any]] = ops.load_fragments(
            [ops.binary("add", at, stride * i) for i in range(self.shape.nj // 2)]
        )
        return found

    def step(self, ops: Any, acc: list[Any], lhs: Any, packed: list[list[Any]], place: tuple[int, int]) -> list[Any]:
        """Return acc + products of one instruction's depth; `place` is (pair, step in the pair)."""
        pair, step = place
        at = ops.binary("xor", lhs, STEP_BYTES * (pair * self.product.planes + step))
        stride = 16 * self.shape.depth_bytes
        a = ops.load_fragments([ops.binary("add", at, stride * i) for i in range(self.shape.mi)])
        b = [self._words(ops, packed[j // 2], j % 2, step) for j in range(self.shape.nj)]
        cells = [(i, j) for i in range(self.shape.mi) for j in range(self.shape.nj)]
        sums = ops.mma(self.product.mma, [(acc[4 * c : 4 * c + 4], a[i], b[j]) for c, (i, j) in enumerate(cells)])
        return [value for four in sums for value in four]

    def _words(self, ops: Any, four: list[Any], tile: int, step: int) -> list[Any]:
        planes = self.product.planes
        if planes == 1:
            return four[2 * tile : 2 * tile + 2]
        word, first = four[2 * tile + step // (planes // 2)], 2 * (step % (planes // 2))
        return [self.product.unpack(ops, word, first + register) for register in range(2)]

    def steps(self) -> list[tuple[int, int]]:
        """Return the places of a stage's steps, in order."""
        planes = self.product.planes
        return [(i // planes, i % planes) for i in range(steps_a_stage(self.shape))]


def multiply(product: Product, shape: TileShape) -> Any:
    """Return the block (acc, lhs lane address, rhs lane address) -> acc + the stage's products."""
    stage = _Stage(product, shape)

    def multiply_macro(ops: Any, acc: list[Any], lhs: Any, rhs: Any) -> list[Any]:
        packed: list[list[Any]] = []
        for place in stage.steps():
            packed = stage.pair(ops, rhs, place[0]) if place[1] == 0 else packed
            acc = stage.step(ops, acc, lhs, packed, place)
        return acc

    return block(multiply_macro, "f32" if product.is_float else "i32", shape.accumulators)


def multiply_small_groups(product: Product, shape: TileShape, group_steps: int) -> Any:
    """Return the block (total, lhs, rhs, scale, index, stride) -> total + the stage's scaled groups.

    For groups of which a stage holds several: `index` is the lane's first column in the stage's first group's
    parameters, `stride` the columns of a group.
    """
    stage, blank = _Stage(product, shape), shape.accumulators

    def multiply_small_groups_macro(
        ops: Any, total: list[Any], lhs: Any, rhs: Any, scale: Any, index: Any, stride: Any
    ) -> list[Any]:
        packed: list[list[Any]] = []
        acc = [ops.zero_f32 if product.is_float else ops.zero_i32] * blank
        for number, place in enumerate(stage.steps()):
            packed = stage.pair(ops, rhs, place[0]) if place[1] == 0 else packed
            acc = stage.step(ops, acc, lhs, packed, place)
            if (number + 1) % group_steps == 0:
                at = ops.binary("add", index, ops.binary("mul", stride, number // group_steps))
                total = _add_group(ops, total, acc, (scale, at), product, shape)
                acc = [ops.zero_f32 if product.is_float else ops.zero_i32] * blank
        return total

    return block(multiply_small_groups_macro, "f32", shape.accumulators)


def add_group(product: Product, shape: TileShape) -> Any:
    """Return the block (total, acc, scale, index) -> total + the group's scaled sums."""

    def add_group_macro(ops: Any, total: list[Any], acc: list[Any], scale: Any, index: Any) -> Any:
        return _add_group(ops, total, acc, (scale, index), product, shape)

    return block(add_group_macro, "f32", shape.accumulators)


def start_at(shape: TileShape) -> Any:
    """Return the block (offset, the lane's first column) -> totals that begin at each column's offset."""

    def start_at_macro(ops: Any, offset: Any, column: Any) -> list[Any]:
        sides = [
            [ops.load(offset, ops.binary("add", column, 8 * j + side), "f32") for side in range(2)]
            for j in range(shape.nj)
        ]
        return [sides[j][cell % 2] for _ in range(shape.mi) for j in range(shape.nj) for cell in range(4)]

    return block(start_at_macro, "f32", shape.accumulators)


def as_sum(ops: Any, product: Product, acc: Any) -> Any:
    """Return a group's sum as float32, what its scale multiplies; the offset holds the groups' corrections."""
    if product.is_float:
        return acc
    return ops.to_float(ops.binary("shr", acc, ops.constant(product.shift)) if product.shift else acc)


def _add_group(
    ops: Any, total: list[Any], acc: list[Any], params: tuple[Any, Any], product: Product, shape: TileShape
) -> list[Any]:
    scale, index = params
    new = list(total)
    for j in range(shape.nj):
        for side in range(2):
            s = ops.load(scale, ops.binary("add", index, 8 * j + side), "f32")
            for i in range(shape.mi):
                for half in range(2):
                    cell = 4 * (i * shape.nj + j) + 2 * half + side
                    new[cell] = ops.fma(as_sum(ops, product, acc[cell]), s, total[cell])
    return new
