"""Windows and whole images of up to 64 channels in one vector; LLVM cuts it to whatever width a CPU has."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qbench.kernels.blocks import LINE_BYTES, Block, emitted, literals
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value

STEP = 2
"""Pixels between the windows of `largest_rows`, one less than their side."""
WAITING_LINES = 256
"""Lines that `largest_rows` keeps: 16 KiB, half of a first-level cache."""


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
def largest_along(typingctx: Any, a: Any, out: Any, place: Any, strides: Any, side: Any, taken: Any) -> Any:
    """Do the same for windows of a literal side next to each other.

    `place` is (offset in a, offset in out, windows), `strides` the bytes from one row, one column, one window and one
    output pixel to the next.
    """
    found = literals(side, taken)
    if found is None:
        return None
    size, channels = found

    def body(block: Block) -> None:
        b, e, kind = block.b, block.e, ir.VectorType(I8, channels)
        start, target = block.address(0, block.item(2, 0)), block.address(1, block.item(2, 1))
        down, right, step, step_out = (block.item(3, i) for i in range(4))
        places = [_times(b, down, row, right, column) for row in range(size) for column in range(size)]

        def one(window: Value, state: list[Value]) -> list[Value]:
            place = b.gep(start, [b.mul(window, step)])
            best = _largest_of(e, [e.load(place, at, kind) for at in places])
            block.store(best, b.gep(target, [b.mul(window, step_out)]), streaming=False)
            return state

        e.loop(ir.Constant(I64, 0), block.item(2, 2), 1, [], one)

    return types.void(a, out, place, strides, side, taken), emitted(body)


@intrinsic(prefer_literal=True)
def largest_rows(typingctx: Any, a: Any, out: Any, place: Any, strides: Any, streaming: Any) -> Any:
    """Do the same for rows of windows of 3 by 3, two pixels apart, and whole lines of 64 channels.

    Every row of pixels is read from its beginning to its end, one behind the other: the largest codes of three pixels
    side by side wait in the first-level cache for those of the next rows. `place` is (offset in a, offset in out,
    output rows, windows, lines), of which there are at most `WAITING_LINES` a row; `strides` the bytes from one row
    and one column to the next in `a` and in `out`.
    """
    found = literals(streaming)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e, zero, kind = block.b, block.e, ir.Constant(I64, 0), ir.VectorType(I8, LINE_BYTES)
        rows, windows, lines = (block.item(2, i) for i in range(2, 5))
        down, right, out_down, out_right = (block.item(3, i) for i in range(4))
        room = cgutils.alloca_once(b, ir.ArrayType(kind, WAITING_LINES))  # type: ignore[no-untyped-call]
        waiting = b.bitcast(room, I8.as_pointer())

        def along(source: Value, use: Callable[[Value, Value, Value], None]) -> None:
            """Give the largest codes of every window's row, where those of the rows above wait, and their offset."""

            def window(number: Value, state: list[Value]) -> list[Value]:
                first = b.gep(source, [b.mul(number, b.mul(right, ir.Constant(I64, STEP)))])
                to, slot = b.mul(number, out_right), b.mul(number, b.mul(lines, ir.Constant(I64, LINE_BYTES)))

                def line(index: Value, state: list[Value]) -> list[Value]:
                    skip = b.mul(index, ir.Constant(I64, LINE_BYTES))
                    places = [b.add(skip, b.mul(right, ir.Constant(I64, column))) for column in range(STEP + 1)]
                    for place in places[:STEP]:
                        block.ahead(b.gep(first, [place]), 1)
                    best = _largest_of(e, [e.load(first, place, kind) for place in places])
                    use(best, b.gep(waiting, [b.add(slot, skip)]), b.add(to, skip))
                    return state

                return e.loop(zero, lines, 1, state, line)

            e.loop(zero, windows, 1, [], window)

        def wait(best: Value, slot: Value, _: Value) -> None:
            block.store(best, slot, streaming=False)

        def join(best: Value, slot: Value, _: Value) -> None:
            block.store(_largest_of(e, [best, block.load(slot, kind)]), slot, streaming=False)

        def one_row(row: Value, state: list[Value]) -> list[Value]:
            source = b.gep(start, [b.mul(row, b.mul(down, ir.Constant(I64, STEP)))])
            target = block.address(1, b.add(block.item(2, 1), b.mul(row, out_down)))

            def finish(best: Value, slot: Value, to: Value) -> None:
                all_rows = _largest_of(e, [best, block.load(slot, kind)])
                block.store(best, slot, streaming=False)
                block.store(all_rows, b.gep(target, [to]), streaming=bool(found[0]))

            along(b.gep(source, [down]), join)
            along(b.gep(source, [b.mul(down, ir.Constant(I64, STEP))]), finish)
            return state

        start = block.address(0, block.item(2, 0))
        along(start, wait)
        e.loop(zero, rows, 1, [], one_row)

    return types.void(a, out, place, strides, streaming), emitted(body)


def _times(b: Any, down: Value, row: int, right: Value, column: int) -> Value:
    return b.add(b.mul(down, ir.Constant(I64, row)), b.mul(right, ir.Constant(I64, column)))


def _largest_of(e: Emitter, codes: list[Value]) -> Value:
    return reduce(lambda x, y: e.overloaded("llvm.umax", x, y), codes)


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
