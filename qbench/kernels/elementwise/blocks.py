"""Sixty-four codes added, or looked up; the loops over them are in `portable` and `channels`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import BLOCK, LINE_BYTES, Block, emitted, literals
from qbench.kernels.isa import missing
from qbench.kernels.tiles.emitter import I8, I64, Value

PERMUTES = missing(frozenset({"avx512vbmi", "avx512bw"})) is None
"""Whether 128 bytes can be looked up at once (`vpermi2b`)."""


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
        quarters = [block.load(entries, e.bytes, skip_bytes=LINE_BYTES * i) for i in range(4 if found[0] else 0)]

        def pixel(index: Value, state: list[Value]) -> list[Value]:
            places = [builder.gep(*pair) for pair in (
                (source, [builder.mul(index, step)]), (target, [builder.mul(index, step_out)])
            )]  # fmt: skip

            def line(number: Value, state: list[Value]) -> list[Value]:
                skip = builder.mul(number, ir.Constant(I64, LINE_BYTES))
                here, there = (builder.gep(place, [skip]) for place in places)
                block.ahead(here, 1)
                codes = block.load(here, e.bytes)
                block.store(_entries(block, codes, quarters), there, streaming=bool(found[1]))
                return state

            e.loop(zero, lines, 1, [], line)
            return state

        e.loop(zero, pixels, 1, [], pixel)

    kinds = (a, types.int64, out, types.int64, strides, size, table, types.int64, looks_up, streaming)
    return types.void(*kinds), emitted(body)


def _entries(block: Block, codes: Value, quarters: list[Value]) -> Value:
    """Return the entries of 64 codes in a table of four vectors; the codes themselves where there is none."""
    if not quarters:
        return codes
    name, e = "llvm.x86.avx512.vpermi2var.qi.512", block.e
    low, high = (e.call(name, e.bytes, quarters[i], codes, quarters[i + 1]) for i in (0, 2))
    upper = block.b.icmp_signed("<", codes, ir.Constant(ir.VectorType(I8, BLOCK), [0] * BLOCK))
    return block.b.select(upper, high, low)


@intrinsic(prefer_literal=True)
def table_block(typingctx: Any, a: Any, at: Any, out: Any, to: Any, table: Any, first: Any, streaming: Any) -> Any:
    """Write the entries of 64 codes in the table of 256 bytes that begins at byte `first`; wants `PERMUTES`."""
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        e = block.e
        source = block.address(0, block.argument(1))
        block.ahead(source, 1)
        codes = block.load(source, e.bytes)
        entries = block.address(4, block.argument(5))
        quarters = [block.load(entries, e.bytes, skip_bytes=LINE_BYTES * i) for i in range(4)]
        block.store(_entries(block, codes, quarters), block.address(2, block.argument(3)), streaming=bool(found[0]))

    return types.void(a, types.int64, out, types.int64, table, types.int64, streaming), emitted(body)
