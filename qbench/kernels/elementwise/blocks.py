"""Sixty-four codes added, or looked up; the loops over them are in `portable` and `channels`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import BLOCK, LINE_BYTES, Block, emitted, literals
from qbench.kernels.isa import missing
from qbench.kernels.tiles.emitter import I8, I64, Value

LONG_TABLES = missing(frozenset({"avx512vbmi", "avx512bw"})) is None
"""Whether 64 codes are looked up in 128 bytes at once (`vpermi2b`)."""
PERMUTES = LONG_TABLES or missing(frozenset({"avx2"})) is None
"""Whether whole blocks of codes are looked up: without long tables, 32 codes in 16 bytes at once (`vpshufb`)."""
SHORT_TABLE = 16


@intrinsic(prefer_literal=True)
def add_block(
    typingctx: Any, a: Any, a_at: Any, b: Any, b_at: Any, out: Any, to: Any, scales: Any, limits: Any, floor: Any,
    bounded: Any, streaming: Any,
) -> Any:  # fmt: skip
    """Write the rescaled sums of 64 codes; `scales` is (scale of a, of b, offset), each product and sum rounded.

    `bounded` says that no sum can leave int32.
    """
    found = literals(floor, bounded, streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        builder, e = block.b, block.e
        left, right = block.address(0, block.argument(1)), block.address(2, block.argument(3))
        for side in (left, right):
            block.ahead(side, 1)
        scale_a, scale_b, offset = (e.splat(block.item(6, i)) for i in range(3))
        t = []
        for i in range(4):
            one, two = (block.floats(place, i) for place in (left, right))
            total = builder.fadd(builder.fmul(one, scale_a), builder.fmul(two, scale_b))
            t.append(builder.fadd(total, offset))
        limits_of = (block.item(7, 0), block.item(7, 1))
        codes = block.codes(t, limits_of, floor=bool(found[0]), bounded=bool(found[1]))
        block.store(codes, block.address(4, block.argument(5)), streaming=bool(found[2]))

    places = (a, types.int64, b, types.int64, out, types.int64)
    return types.void(*places, scales, limits, floor, bounded, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def move_pixels(
    typingctx: Any, a: Any, at: Any, out: Any, to: Any, strides: Any, size: Any, table: Any, first: Any,
    looks_up: Any, streaming: Any,
) -> Any:  # fmt: skip
    """Write 64 codes times lines of every pixel, as they are or from a table of 256 bytes that begins at `first`.

    `strides` are the bytes from one pixel to the next, of a and of out; `size` is (pixels, lines). With `looks_up`
    this wants `PERMUTES`.
    """
    found = literals(looks_up, streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        builder, e, zero = block.b, block.e, ir.Constant(I64, 0)
        source, target = block.address(0, block.argument(1)), block.address(2, block.argument(3))
        (step, step_out), (pixels, lines) = ((block.item(i, 0), block.item(i, 1)) for i in (4, 5))
        entries = block.address(6, block.argument(7))
        tables = _tables(block, entries) if found[0] else []

        def pixel(index: Value, state: list[Value]) -> list[Value]:
            places = [builder.gep(*pair) for pair in (
                (source, [builder.mul(index, step)]), (target, [builder.mul(index, step_out)])
            )]  # fmt: skip

            def line(number: Value, state: list[Value]) -> list[Value]:
                skip = builder.mul(number, ir.Constant(I64, LINE_BYTES))
                here, there = (builder.gep(place, [skip]) for place in places)
                block.ahead(here, 1)
                codes = block.load(here, e.bytes)
                block.store(_looked_up(block, codes, tables), there, streaming=bool(found[1]))
                return state

            e.loop(zero, lines, 1, [], line)
            return state

        e.loop(zero, pixels, 1, [], pixel)

    kinds = (a, types.int64, out, types.int64, strides, size, table, types.int64, looks_up, streaming)
    return types.void(*kinds), emitted(body)


def _tables(block: Block, entries: Value) -> list[Value]:
    """Return the 256 entries in four long tables, or in 16 short ones that every 128-bit lane has."""
    if LONG_TABLES:
        return [block.load(entries, block.e.bytes, skip_bytes=LINE_BYTES * i) for i in range(4)]
    kind = ir.VectorType(I8, SHORT_TABLE)
    twice = 2 * list(range(SHORT_TABLE))
    short = [block.load(entries, kind, skip_bytes=SHORT_TABLE * i) for i in range(256 // SHORT_TABLE)]
    return [block.shuffled(table, twice) for table in short]


def _looked_up(block: Block, codes: Value, tables: list[Value]) -> Value:
    """Return the entries of 64 codes; the codes themselves where there are no tables."""
    if not tables:
        return codes
    if LONG_TABLES:
        return _in_long_tables(block, codes, tables)
    halves = (block.shuffled(codes, list(range(i, i + 2 * SHORT_TABLE))) for i in range(0, BLOCK, 2 * SHORT_TABLE))
    return block.joined([_in_short_tables(block, half, tables) for half in halves])


def _in_long_tables(block: Block, codes: Value, tables: list[Value]) -> Value:
    name, e = "llvm.x86.avx512.vpermi2var.qi.512", block.e
    low, high = (e.call(name, e.bytes, tables[i], codes, tables[i + 1]) for i in (0, 2))
    upper = block.b.icmp_signed("<", codes, ir.Constant(ir.VectorType(I8, BLOCK), [0] * BLOCK))
    return block.b.select(upper, high, low)


def _in_short_tables(block: Block, codes: Value, tables: list[Value]) -> Value:
    """Return the entries of 32 codes.

    `vpshufb` takes the lowest 4 bits as an index and gives zero where bit 7 is set, so that bit chooses by `or`; bits 4
    to 6 choose by `vpblendvb`, which goes by bit 7 of what they are moved to.
    """
    b, e, kind = block.b, block.e, codes.type
    flipped = b.xor(codes, ir.Constant(kind, [-128] * kind.count))
    half = len(tables) // 2

    def entries(table: Value, index: Value) -> Value:
        return e.call("llvm.x86.avx2.pshuf.b", kind, table, index)

    found = [b.or_(entries(tables[i], codes), entries(tables[half + i], flipped)) for i in range(half)]
    bit_6 = b.add(codes, codes)
    bit_5 = b.add(bit_6, bit_6)
    for bit in (b.add(bit_5, bit_5), bit_5, bit_6):
        pairs = zip(found[::2], found[1::2], strict=True)
        found = [e.call("llvm.x86.avx2.pblendvb", kind, clear, set_, bit) for clear, set_ in pairs]
    return found[0]
