"""A loop that reads and writes as many bytes as an operation does, and computes nothing of them: its memory ceiling.

It goes over both sides once, from one end to the other, in the order in which an operation would: so many cache lines
read, then so many written. What it moves is random: lines that are all alike are written up to 1.5 times as fast
[measured on Zen 5, 67 against 45 GB/s of one line read and four written], which no operation profits by.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import LINE_BYTES, Block, fence, literals
from qbench.kernels.callers import word
from qbench.kernels.layout import aligned
from qbench.kernels.native import task_function
from qbench.kernels.tasks import Task
from qbench.kernels.tiles.emitter import I8, I64

MOST_LINES = 64
"""Of a turn."""


@intrinsic(prefer_literal=True)
def _turns(typingctx: Any, arguments: Any, begin: Any, end: Any, reads: Any, writes: Any, streaming: Any) -> Any:
    """Read and write the lines of turns begin..end; `arguments` holds the addresses of source and target."""
    found = literals(reads, writes, streaming)
    if found is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        block = Block(context, builder, sig, values)
        e, (lines_in, lines_out, past) = block.e, found
        sides = [
            builder.inttoptr(builder.load(builder.gep(values[0], [ir.Constant(I64, side)])), I8.as_pointer())
            for side in (1, 2)
        ]

        def turn(index: Any, state: list[Any]) -> list[Any]:
            places = [
                builder.gep(side, [builder.mul(index, ir.Constant(I64, LINE_BYTES * lines))])
                for side, lines in zip(sides, (lines_in, lines_out), strict=True)
            ]
            total = state[0]
            for line in range(lines_in):
                total = builder.xor(total, block.load(places[0], e.ints, skip_bytes=LINE_BYTES * line))
            for line in range(lines_out):
                block.store(total, places[1], skip_bytes=LINE_BYTES * line, streaming=bool(past))
            return [total]

        last = e.loop(values[1], values[2], 1, [e.constant(0, e.ints)], turn)[0]
        block.store(last, builder.gep(sides[1], [ir.Constant(I64, 0)]), streaming=False)  # else all reads are left out
        return context.get_dummy_value()

    return types.void(arguments, types.int64, types.int64, reads, writes, streaming), codegen


def loop_of(reads: int, writes: int, streaming: int) -> Any:
    """Return the task, to be compiled: turns of so many lines read and written."""

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        turns: int = word(arguments, 0)  # type: ignore[call-arg]
        begin, end = turns * part // parts, turns * (part + 1) // parts
        if begin < end:
            _turns(arguments, begin, end, reads, writes, streaming)
        if streaming:
            fence()

    return run


def lines_of(read_bytes: int, written_bytes: int) -> tuple[int, int, int]:
    """Return the turns of a loop, and the lines that each reads and writes: the nearest mix of at most 64 lines."""
    more, less = max(read_bytes, written_bytes), min(read_bytes, written_bytes)
    mixes = (Fraction(more, less).limit_denominator(most) for most in range(8, 0, -1))
    mix = next((one for one in mixes if sum(one.as_integer_ratio()) <= MOST_LINES), Fraction(MOST_LINES - 1))
    lines = mix.as_integer_ratio() if read_bytes >= written_bytes else mix.as_integer_ratio()[::-1]
    return max(1, round((more + less) / (LINE_BYTES * sum(lines)))), *lines


def stream_task(read_bytes: int, written_bytes: int, *, streaming: bool) -> tuple[Task, npt.NDArray[np.uint8]]:
    """Return a task that reads and writes so many bytes, and the buffer it writes."""
    turns, reads, writes = lines_of(read_bytes, written_bytes)
    source, target = aligned(turns * reads * LINE_BYTES), aligned(turns * writes * LINE_BYTES)
    target.fill(1)  # touches every page: pages that were never written all share one
    source.view(np.uint64)[:] = np.random.default_rng(0).integers(0, 1 << 64, source.size // 8, np.uint64)
    arguments = np.array([turns, source.ctypes.data, target.ctypes.data], np.int64)
    function = task_function("qbench.kernels.stream:loop_of", reads, writes, int(streaming))
    task = Task(function, arguments, (source, target))
    return task, target
