"""Windows and whole images of up to 64 channels in one vector; LLVM cuts it to whatever width a CPU has."""

from __future__ import annotations

from functools import reduce
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import LINE_BYTES, Block, emitted, literals
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value


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


@intrinsic(prefer_literal=True)
def largest_along(
    typingctx: Any, a: Any, out: Any, place: Any, strides: Any, side: Any, shared: Any, taken: Any,
    streaming: Any,
) -> Any:  # fmt: skip
    """Do the same for windows of a literal side next to each other; ask for the lines of those below them meanwhile.

    `place` is (offset in a, offset in out, windows), `strides` the bytes from one row, one column, one window and one
    output pixel to the next. `shared` columns (0 or 1) of a window are the next one's too, and are seen once.
    """
    found = literals(side, shared, taken, streaming)
    if found is None:
        return None
    size, twice, channels, past = found

    def body(block: Block) -> None:
        b, e, kind = block.b, block.e, ir.VectorType(I8, channels)
        start, target = block.address(0, block.item(2, 0)), block.address(1, block.item(2, 1))
        down, right, step, step_out = (block.item(3, i) for i in range(4))

        def offset(row: int, column: int) -> Value:
            return b.add(b.mul(down, ir.Constant(I64, row)), b.mul(right, ir.Constant(I64, column)))

        places = [[offset(row, column) for row in range(size)] for column in range(size)]
        below, ahead = (size - 1) * (size - twice), b.mul(down, ir.Constant(I64, size))

        def column_of(place: Value, column: int) -> Value:
            codes = [e.load(place, at, kind) for at in places[column]]
            return reduce(lambda x, y: e.overloaded("llvm.umax", x, y), codes)

        def one(window: Value, state: list[Value]) -> list[Value]:
            place = b.gep(start, [b.mul(window, step)])
            seen = [*state, *(column_of(place, column) for column in range(len(state), size))]
            for pixel in range(below):  # in their order, whichever row they are of: one stream
                number = e.add_bytes(b.mul(window, ir.Constant(I64, below)), pixel)
                e.prefetch(start, b.add(ahead, b.mul(number, right)))
            best = reduce(lambda x, y: e.overloaded("llvm.umax", x, y), seen)
            block.store(best, b.gep(target, [b.mul(window, step_out)]), streaming=bool(past))
            return seen[size - len(state) :] if state else []

        first = [column_of(start, 0)] if twice else []
        e.loop(ir.Constant(I64, 0), block.item(2, 2), 1, first, one)

    return types.void(a, out, place, strides, side, shared, taken, streaming), emitted(body)


@intrinsic(prefer_literal=True)
def sum_pixels(typingctx: Any, a: Any, place: Any, strides: Any, sums: Any, to: Any, lines: Any, short: Any) -> Any:
    """Write the sums of 64 times `lines` channels over an image as int32; ask for other lines, side by side, meanwhile.

    `place` is (offset in a, rows, columns, offset of the lines asked for), `strides` the bytes from one row and one
    column to the next. `short` sums of 16 bits hold 257 pixels, by half the instructions.
    """
    found = literals(lines, short)
    if found is None:
        return None
    parts = (2 if found[1] else 4) * found[0]

    def body(block: Block) -> None:
        b, e, zero = block.b, block.e, ir.Constant(I64, 0)
        start, rows, columns = block.address(0, block.item(1, 0)), block.item(1, 1), block.item(1, 2)
        down, right = (block.item(2, i) for i in range(2))
        wanted, kind = block.address(0, block.item(1, 3)), e.shorts if found[1] else e.ints

        def along_row(row: Value, totals: list[Value]) -> list[Value]:
            first = b.gep(start, [b.mul(row, down)])

            def one(column: Value, totals: list[Value]) -> list[Value]:
                at = b.gep(first, [b.mul(column, right)])
                ahead = b.mul(b.add(b.mul(row, columns), column), ir.Constant(I64, LINE_BYTES * found[0]))
                for line in range(found[0]):
                    e.prefetch(wanted, e.add_bytes(ahead, LINE_BYTES * line))
                codes = [block.load(at, ir.VectorType(I8, kind.count), skip_bytes=kind.count * i) for i in range(parts)]
                return [b.add(total, b.zext(part, kind)) for total, part in zip(totals, codes, strict=True)]

            return e.loop(zero, columns, 1, totals, one)

        totals = e.loop(zero, rows, 1, [e.constant(0, kind)] * parts, along_row)
        target = block.address(3, block.argument(4))
        for i, total in enumerate(totals):
            wide = b.zext(total, ir.VectorType(I32, kind.count)) if found[1] else total
            block.store(wide, target, skip_bytes=4 * kind.count * i, streaming=False)

    return types.void(a, place, strides, sums, types.int64, lines, short), emitted(body)
