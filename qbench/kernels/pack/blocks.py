"""Sixty-four codes to 64 bits and back; the loops over them are in `portable`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import BLOCK, Block, emitted, literals
from qbench.kernels.tiles.emitter import I8, I64, Value


def _splat(block: Block, byte: Value) -> Value:
    return block.e.splat_byte(block.b.trunc(byte, I8))


@intrinsic
def any_bits(typingctx: Any, a: Any, at: Any, mask: Any) -> Any:
    """Return which of 64 codes have a bit of `mask`, the first in the lowest bit."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        block = Block(context, builder, sig, values)
        source = block.address(0, values[1])
        block.ahead(source, 1)
        codes = block.load(source, block.e.bytes)
        zero = block.e.constant(0, block.e.bytes)
        return builder.bitcast(builder.icmp_unsigned("!=", builder.and_(codes, _splat(block, values[2])), zero), I64)

    return types.uint64(a, types.int64, types.int64), codegen


@intrinsic
def equal_codes(typingctx: Any, a: Any, at: Any, code: Any) -> Any:
    """Return which of 64 codes are `code`, the first in the lowest bit."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        block = Block(context, builder, sig, values)
        source = block.address(0, values[1])
        block.ahead(source, 1)
        codes = block.load(source, block.e.bytes)
        return builder.bitcast(builder.icmp_unsigned("==", codes, _splat(block, values[2])), I64)

    return types.uint64(a, types.int64, types.int64), codegen


@intrinsic(prefer_literal=True)
def store_bits(typingctx: Any, bits: Any, out: Any, to: Any, streaming: Any) -> Any:
    """Write 64 bits as two neighbouring words."""
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        block.store(block.argument(0), block.address(1, block.argument(2)), streaming=bool(found[0]))

    return types.void(types.uint64, out, types.int64, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def store_bit_pairs(typingctx: Any, first: Any, second: Any, out: Any, to: Any, streaming: Any) -> Any:
    """Write 64 bits of each of two planes as four words that take turns.

    By whole numbers: LLVM would join the words in vectors by way of memory, at a third of the speed.
    """
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, half = block.b, ir.Constant(I64, 32)
        low, high = ir.Constant(I64, 0xFFFFFFFF), ir.Constant(I64, 0xFFFFFFFF << 32)
        one, two, target = block.argument(0), block.argument(1), block.address(2, block.argument(3))
        pairs = (
            b.or_(b.and_(one, low), b.shl(two, half)),
            b.or_(b.lshr(one, half), b.and_(two, high)),
        )
        for place, pair in enumerate(pairs):
            block.store(pair, target, skip_bytes=8 * place, streaming=bool(found[0]))

    return types.void(types.uint64, types.uint64, out, types.int64, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def spread_bits(
    typingctx: Any, ones: Any, twos: Any, out: Any, to: Any, codes: Any, streaming: Any
) -> Any:  # fmt: skip
    """Write 64 codes: the third of `codes` where `twos` has a bit, else the second where `ones` has, else the first."""
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, marks = block.b, ir.VectorType(ir.IntType(1), BLOCK)
        none, one, two = (_splat(block, block.item(4, i)) for i in range(3))
        value = b.select(b.bitcast(block.argument(0), marks), one, none)
        value = b.select(b.bitcast(block.argument(1), marks), two, value)
        block.store(value, block.address(2, block.argument(3)), streaming=bool(found[0]))

    return types.void(types.uint64, types.uint64, out, types.int64, codes, streaming), emitted(body)
