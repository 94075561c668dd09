"""The largest code of a window, up to 64 channels in one vector; LLVM cuts it to whatever width a CPU has."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.tiles.emitter import I8, I64, Emitter, Value


@intrinsic(prefer_literal=True)
def largest(typingctx: Any, a: Any, out: Any, place: Any, strides: Any, taken: Any) -> Any:
    """Write the largest codes of `taken` channels, a literal.

    `place` is (offset in a, offset in out, rows, columns), `strides` the bytes from one row and one column to the next.
    """
    if not isinstance(taken, types.Literal):
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e, kind = Emitter(builder, 16), ir.VectorType(I8, taken.literal_value)
        lhs, target = (
            builder.bitcast(context.make_array(sig.args[i])(context, builder, values[i]).data, I8.as_pointer())
            for i in (0, 1)
        )
        at, to, rows, columns = (builder.extract_value(values[2], i) for i in range(4))
        down, right = (builder.extract_value(values[3], i) for i in range(2))
        zero = ir.Constant(I64, 0)

        def along_row(row: Value, best: list[Value]) -> list[Value]:
            start = builder.add(at, builder.mul(row, down))

            def one(column: Value, best: list[Value]) -> list[Value]:
                codes = e.load(lhs, builder.add(start, builder.mul(column, right)), kind)
                return [e.overloaded("llvm.umax", best[0], codes)]

            return e.loop(zero, columns, 1, best, one)

        e.store(e.loop(zero, rows, 1, [ir.Constant(kind, None)], along_row)[0], target, to)
        return context.get_dummy_value()

    return types.void(a, out, place, strides, taken), codegen
