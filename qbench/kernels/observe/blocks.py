"""Sixteen numbers at a time: their extremes and sums, and their bins; LLVM cuts the vectors to what a CPU has."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qbench.kernels.blocks import LINE_BYTES, Block, emitted
from qbench.kernels.observe.reference import BINS, LANES
from qbench.kernels.tiles.emitter import I8, I32, I64, Value

DOUBLE = ir.DoubleType()
HALF = ir.VectorType(DOUBLE, LANES // 2)
LOW, HIGH, LARGEST, LEAST, ZEROS, FACTS = range(6)
"""Vectors of 32 bits: the extremes, the largest |x| as bits, the smallest that is not 0 as bits less 1, zeros."""
WITHOUT_SIGN = 0x7FFFFFFF


@intrinsic
def look(typingctx: Any, x: Any, at: Any, groups: Any, facts: Any, sums: Any) -> Any:
    """Take groups of 16 numbers, from item `at` on, into `facts` (5, 16) and `sums` (3, 16), one behind the other."""

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source = block.address(0, block.argument(1))
        kept, added = (block.address(i, ir.Constant(I64, 0)) for i in (3, 4))
        kinds = [e.floats] * 2 + [e.ints] * 3
        state = [block.load(kept, kind, skip_bytes=LINE_BYTES * i) for i, kind in enumerate(kinds)]
        state += [block.load(added, HALF, skip_bytes=LINE_BYTES * i) for i in range(6)]

        def one(group: Value, now: list[Value]) -> list[Value]:
            value = block.load(b.gep(source, [b.mul(group, ir.Constant(I64, LINE_BYTES))]), e.floats)
            size = b.and_(b.bitcast(value, e.ints), e.constant(WITHOUT_SIGN, e.ints))
            less = b.sub(size, e.constant(1, e.ints))
            is_zero = b.icmp_signed("==", size, e.constant(0, e.ints))
            found = [
                b.select(b.fcmp_ordered("<", value, now[LOW]), value, now[LOW]),
                b.select(b.fcmp_ordered(">", value, now[HIGH]), value, now[HIGH]),
                e.overloaded("llvm.smax", size, now[LARGEST]),
                e.overloaded("llvm.umin", less, now[LEAST]),
                b.sub(now[ZEROS], b.sext(is_zero, e.ints)),
            ]
            wide, absolute = _halves(block, value), _halves(block, b.bitcast(size, e.floats))
            squares = [b.fmul(half, half) for half in wide]  # exact: 24 bits by 24
            parts = [*wide, *absolute, *squares]
            return found + [b.fadd(total, part) for total, part in zip(now[FACTS:], parts, strict=True)]

        last = e.loop(ir.Constant(I64, 0), block.argument(2), 1, state, one)
        for i, value in enumerate(last):
            place, skip = (kept, i) if i < FACTS else (added, i - FACTS)
            block.store(value, place, skip_bytes=LINE_BYTES * skip, streaming=False)

    return types.void(x, types.int64, types.int64, facts, sums), emitted(body)


@intrinsic
def count(typingctx: Any, x: Any, at: Any, groups: Any, ring: Any, factor: Any) -> Any:
    """Count groups of 16 numbers in their bins; zeros, which would wait for each other, go behind the ring."""

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source, bins = block.address(0, block.argument(1)), block.address(3, ir.Constant(I64, 0))
        table = b.bitcast(bins, I64.as_pointer())
        room = cgutils.alloca_once(b, ir.ArrayType(I32, LANES))  # type: ignore[no-untyped-call]
        places = b.bitcast(room, I8.as_pointer())
        undefined = ir.Constant(HALF, ir.Undefined)
        first = b.insert_element(undefined, block.argument(4), ir.Constant(I32, 0))
        eight = ir.VectorType(I32, LANES // 2)
        scale = b.shuffle_vector(first, undefined, ir.Constant(eight, [0] * (LANES // 2)))
        behind = ir.Constant(e.ints, [BINS + lane for lane in range(LANES)])

        def one(group: Value, state: list[Value]) -> list[Value]:
            value = block.load(b.gep(source, [b.mul(group, ir.Constant(I64, LINE_BYTES))]), e.floats)
            floors = [e.call("llvm.floor.v8f64", HALF, b.fmul(half, scale)) for half in _halves(block, value)]
            whole = b.shuffle_vector(
                b.fptosi(floors[0], eight), b.fptosi(floors[1], eight), ir.Constant(e.ints, list(range(LANES)))
            )
            place = b.and_(whole, e.constant(BINS - 1, e.ints))
            is_zero = b.fcmp_ordered("==", value, e.constant(0, e.floats))
            block.store(b.select(is_zero, behind, place), places, streaming=False)
            for lane in range(LANES):
                index = b.zext(e.load(places, ir.Constant(I64, 4 * lane), I32), I64)
                cell = b.gep(table, [index])
                b.store(b.add(b.load(cell), ir.Constant(I64, 1)), cell)
            return state

        e.loop(ir.Constant(I64, 0), block.argument(2), 1, [], one)

    return types.void(x, types.int64, types.int64, ring, types.float64), emitted(body)


def _halves(block: Block, value: Value) -> list[Value]:
    """Return 16 floats as doubles, eight and eight."""
    b, half = block.b, LANES // 2
    order = [ir.Constant(ir.VectorType(I32, half), list(range(first, first + half))) for first in (0, half)]
    return [b.fpext(b.shuffle_vector(value, value, lanes), HALF) for lanes in order]
