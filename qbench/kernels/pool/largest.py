"""Windows and whole images of up to 64 channels in one vector; LLVM cuts it to whatever width a CPU has."""

from __future__ import annotations

from collections.abc import Callable
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
def sum_pixels(typingctx: Any, a: Any, place: Any, strides: Any, sums: Any, to: Any, short: Any) -> Any:
    """Write the sums of whole lines of channels over an image as int32, pixel by pixel: what is read is one stream.

    `place` is (offset in a, rows, columns, lines of 64 channels), `strides` the bytes from one row and one column to
    the next. The sums stay in the first-level cache; `short` ones of 16 bits hold 257 pixels, by half the instructions.
    """
    found = literals(short)
    if found is None:
        return None
    parts = 2 if found[0] else 4

    def body(block: Block) -> None:
        b, e, zero, kind = block.b, block.e, ir.Constant(I64, 0), block.e.shorts if found[0] else block.e.ints
        start, target = block.address(0, block.item(1, 0)), block.address(3, block.argument(4))
        rows, columns, lines = (block.item(1, i) for i in range(1, 4))
        down, right = (block.item(2, i) for i in range(2))
        width = kind.count

        def at(base: Value, line: Value, line_bytes: int) -> Value:
            return b.gep(base, [b.mul(line, ir.Constant(I64, line_bytes))])

        def each(row: Value, column: Value) -> Callable[[Value, list[Value]], list[Value]]:
            first = b.gep(start, [b.add(b.mul(row, down), b.mul(column, right))])

            def one(line: Value, state: list[Value]) -> list[Value]:
                codes, total = at(first, line, LINE_BYTES), at(target, line, LINE_BYTES * parts)
                for i in range(parts):
                    more = b.zext(block.load(codes, ir.VectorType(I8, width), skip_bytes=width * i), kind)
                    here = LINE_BYTES * i
                    new = b.add(block.load(total, kind, skip_bytes=here), more)
                    block.store(new, total, skip_bytes=here, streaming=False)
                return state

            return one

        def blank(line: Value, state: list[Value]) -> list[Value]:
            for i in range(parts):
                block.store(
                    e.constant(0, kind),
                    at(target, line, LINE_BYTES * parts),
                    skip_bytes=LINE_BYTES * i,
                    streaming=False,
                )
            return state

        def along_row(row: Value, state: list[Value]) -> list[Value]:
            return e.loop(zero, columns, 1, state, lambda column, s: e.loop(zero, lines, 1, s, each(row, column)))

        def widened(turn: Value, state: list[Value]) -> list[Value]:
            line = b.sub(b.sub(lines, turn), ir.Constant(I64, 1))  # from the last: each overwrites what is read already
            shorts = [block.load(at(target, line, 2 * LINE_BYTES), kind, skip_bytes=LINE_BYTES * i) for i in range(2)]
            for i, part in enumerate(shorts):
                wide = b.zext(part, ir.VectorType(I32, width))
                block.store(wide, at(target, line, 4 * LINE_BYTES), skip_bytes=4 * width * i, streaming=False)
            return state

        e.loop(zero, lines, 1, [], blank)
        e.loop(zero, rows, 1, [], along_row)
        if found[0]:
            e.loop(zero, lines, 1, [], widened)

    return types.void(a, place, strides, sums, types.int64, short), emitted(body)
