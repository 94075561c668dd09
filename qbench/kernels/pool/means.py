"""The mean of a window of sixteen channels in one vector."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import Block, emitted, literals
from qbench.kernels.tiles.emitter import I64, Value


@intrinsic(prefer_literal=True)
def mean_window(typingctx: Any, a: Any, out: Any, place: Any, strides: Any, numbers: Any, floor: Any) -> Any:
    """Write the rescaled mean of 16 channels, in the order of operations of `portable.pool_u8_u8`.

    `place` is (offset in a, offset in out, rows, columns), `strides` the bytes from one row and one column to the
    next, `numbers` float32 (what padding adds, count, multiplier, offset, low, high).
    """
    found = literals(floor)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        source, zero = block.address(0, block.item(2, 0)), ir.Constant(I64, 0)
        down, right = (block.item(3, i) for i in range(2))

        def row(y: Value, total: list[Value]) -> list[Value]:
            line = b.gep(source, [b.mul(y, down)])

            def one(x: Value, total: list[Value]) -> list[Value]:
                return [b.add(total[0], b.zext(e.load(line, b.mul(x, right), e.narrow), e.ints))]

            return e.loop(zero, block.item(2, 3), 1, total, one, may_skip=True)

        (total,) = e.loop(zero, block.item(2, 2), 1, [e.constant(0, e.ints)], row, may_skip=True)
        padding, count, multiplier, offset, low, high = (e.splat(block.item(4, i)) for i in range(6))
        mean = b.fdiv(b.fadd(b.sitofp(total, e.floats), padding), count)
        t = b.fadd(b.fmul(mean, multiplier), offset)
        whole = e.clamped(e.overloaded("llvm.floor" if found[0] else "llvm.rint", t), low, high)
        codes = b.trunc(b.fptosi(whole, e.ints), e.narrow)
        block.store(codes, block.address(1, block.item(2, 1)), streaming=False)

    return types.void(a, out, place, strides, numbers, floor), emitted(body)
