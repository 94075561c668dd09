"""Sixty-four numbers between float32, int32 and u8; the loops over them are in `portable`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import LANES, LINE_BYTES, Block, emitted, literals
from qbench.kernels.tiles.emitter import F32

GROUPS = range(4)


@intrinsic(prefer_literal=True)
def quantize_block(typingctx: Any, x: Any, at: Any, out: Any, to: Any, numbers: Any, floor: Any, streaming: Any) -> Any:
    """Write the codes of 64 floats; `numbers` is (inverse_scale, offset, high)."""
    found = literals(floor, streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source = block.address(0, block.argument(1))
        block.ahead(source, len(GROUPS))
        inverse_scale, offset = (e.splat(block.item(4, i)) for i in range(2))
        t = [
            b.fadd(b.fmul(block.load(source, e.floats, skip_bytes=LINE_BYTES * i), inverse_scale), offset)
            for i in GROUPS
        ]
        codes = block.codes(t, (ir.Constant(F32, 0), block.item(4, 2)), floor=bool(found[0]))
        block.store(codes, block.address(2, block.argument(3)), streaming=bool(found[1]))

    return types.void(x, types.int64, out, types.int64, numbers, floor, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def quantize_pixels(
    typingctx: Any, x: Any, at: Any, plane: Any, out: Any, to: Any, numbers: Any, streaming: Any
) -> Any:  # fmt: skip
    """Write 16 pixels of four bytes, the last 0, of three colours that lie `plane` floats apart."""
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        inverse_scale, offset, high = (e.splat(block.item(5, i)) for i in range(3))
        place, total = block.argument(1), None
        for colour in range(3):
            source = block.address(0, place)
            block.ahead(source, 1)
            t = b.fadd(b.fmul(block.load(source, e.floats), inverse_scale), offset)
            whole = e.overloaded("llvm.rint", e.clamped(t, e.constant(0, e.floats), high))
            code = b.shl(b.fptosi(whole, e.ints), e.constant(8 * colour, e.ints))
            total = code if total is None else b.or_(total, code)
            place = b.add(place, block.argument(2))
        block.store(total, block.address(3, block.argument(4)), streaming=bool(found[0]))

    return types.void(x, types.int64, types.int64, out, types.int64, numbers, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def dequantize_block(typingctx: Any, a: Any, at: Any, out: Any, to: Any, numbers: Any, streaming: Any) -> Any:
    """Write the reals of 64 codes; `numbers` is (zero_point, scale)."""
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source, target = block.address(0, block.argument(1)), block.address(2, block.argument(3))
        zero_point, scale = (e.splat(block.item(4, i)) for i in range(2))
        for i in GROUPS:
            real = b.fmul(b.fsub(block.floats(source, i), zero_point), scale)
            block.store(real, target, skip_bytes=LINE_BYTES * i, streaming=bool(found[0]))

    return types.void(a, types.int64, out, types.int64, numbers, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def requantize_block(
    typingctx: Any, acc: Any, at: Any, out: Any, to: Any, params: Any, first: Any, limits: Any, floor: Any,
    streaming: Any,
) -> Any:  # fmt: skip
    """Write the codes of 64 sums from channel `first` on; `params` is (correction, scale, offset), arrays a channel."""
    found = literals(floor, streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source = block.address(0, block.argument(1))
        block.ahead(source, len(GROUPS))
        places = [block.address_in(4, i, block.argument(5)) for i in range(3)]
        t = []
        for i in GROUPS:
            skip = LINE_BYTES * i
            correction = block.load(places[0], e.ints, skip_bytes=skip)
            scale, offset = (block.load(place, e.floats, skip_bytes=skip) for place in places[1:])
            total = b.add(block.load(source, e.ints, skip_bytes=skip), correction)
            t.append(e.fma(b.sitofp(total, e.floats), scale, offset))
        low, high = (block.item(6, i) for i in range(2))
        block.store(
            block.codes(t, (low, high), floor=bool(found[0])),
            block.address(2, block.argument(3)),
            streaming=bool(found[1]),
        )

    kinds = (acc, types.int64, out, types.int64, params, types.int64, limits, floor, streaming)
    return types.void(*kinds), emitted(body)


assert LANES * len(GROUPS) == LINE_BYTES
