"""Loops of nothing but arithmetic, or nothing but reading, as tasks: what this machine can do. The runner times them.

Each loop of arithmetic is a tile of 4 x 4 sums, 4 x 2 where there are 16 registers or a sum takes several, over 4 KiB
that stay in the first-level cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.callers import word
from qbench.kernels.layout import ALIGNMENT, aligned
from qbench.kernels.native import task_function
from qbench.kernels.product import parse_product
from qbench.kernels.tasks import Task
from qbench.kernels.tiles.dots import add_pairs
from qbench.kernels.tiles.emitter import I8, I64, Emitter, Value
from qbench.kernels.tiles.multiplier import Multiplier
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import Target, available, target_of

ROWS = 4
VECTORS = 64
SHORT = "short"
"""u8 by weights of few bits where there is no dot instruction: 16-bit sums, which in use are widened now and then."""
REPEATS = 64
"""Sweeps before the sums are stored: one a sweep would cost 6 % of the rate."""
OPERATIONS = {"u8_s8": 8, SHORT: 8, "b1_b1": 64, "t2_t2": 64, "f32_f32": 2}
"""Arithmetic operations of one product in one 32-bit lane: two per multiply-add."""
READ_UNIT = 512
"""Bytes of which each thread reads whole ones."""


def _product(name: str, dot: str) -> Multiplier:
    """Return what multiplies for a key of `OPERATIONS`."""
    return multiplier_of(parse_product("u8_s8" if name == SHORT else name), dot)


def _columns(part: Multiplier, lanes: int) -> int:
    """Return the columns of a tile: 8 lanes go with 16 registers, the others with 32."""
    return 2 if lanes == 8 or _parts(part, lanes) > 1 else 4


def _parts(part: Multiplier, lanes: int) -> int:
    return part.parts(lanes, part.together(lanes, 2))


@intrinsic(prefer_literal=True)
def _sweep(typingctx: Any, data: Any, out: Any, product: Any, dot: Any, lanes: Any) -> Any:
    """Multiply four broadcast words by all vectors at `data`, some at a time, and store the sums at `out`."""
    literals = (product, dot, lanes)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    name, how, width = (kind.literal_value for kind in literals)

    def codegen(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        e, part = Emitter(builder, width), _product(name, how)
        columns, parts, together = _columns(part, width), _parts(part, width), part.together(width, 2)
        base, target = (builder.inttoptr(address, I8.as_pointer()) for address in arguments[:2])
        lhs = [
            [part.lhs(e, base, ir.Constant(I64, 8 * (together * i + group))) for group in range(together)]
            for i in range(ROWS)
        ]
        step = 4 * width * part.vectors
        blank = e.constant(0, e.shorts if name == SHORT else e.floats if part.is_float else e.ints)

        def body(at: Value, acc: list[Value]) -> list[Value]:
            new = list(acc)
            for j in range(columns):
                weights = []
                for group in range(together):
                    first = e.add_bytes(at, step * (together * j + group))
                    raw = (
                        e.load(base, e.add_bytes(first, 4 * width * r), e.ints, align=4) for r in range(part.vectors)
                    )
                    weights.append(part.rhs(e, tuple(raw), 0))
                for i in range(ROWS):
                    cell = parts * (ROWS * j + i)
                    if name == SHORT:
                        new[cell] = add_pairs(e, new[cell], lhs[i][0][0], weights[0][0])
                    else:
                        new[cell : cell + parts] = part.steps(e, tuple(new[cell : cell + parts]), lhs[i], weights)
            return new

        def sweep(_: Value, acc: list[Value]) -> list[Value]:
            end = ir.Constant(I64, 4 * width * VECTORS)
            return e.loop(ir.Constant(I64, 0), end, step * together * columns, acc, body)

        repeats = ir.Constant(I64, REPEATS)
        for cell, value in enumerate(e.loop(ir.Constant(I64, 0), repeats, 1, [blank] * ROWS * columns * parts, sweep)):
            e.store(value, target, ir.Constant(I64, 4 * width * cell))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, *literals), codegen


def sweeps_of(product: str, target: str) -> Any:
    """Return the task of sweeps, to be compiled: addresses of data and sums, bytes of a thread's sums, sweeps."""
    facts = target_of(target)
    dot, lanes = facts.dot, facts.lanes

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        data: int = word(arguments, 0)  # type: ignore[call-arg]
        out: int = word(arguments, 1)
        size: int = word(arguments, 2)
        sweeps: int = word(arguments, 3)
        for _ in range(sweeps * part // parts, sweeps * (part + 1) // parts):
            _sweep(data, out + size * part, product, dot, lanes)

    return run


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Sweeps of a key of `OPERATIONS` on one target."""

    product: str
    target: Target

    @property
    def operations(self) -> int:
        """Arithmetic operations of a sweep."""
        vectors = _product(self.product, self.target.dot).vectors
        return REPEATS * (VECTORS // vectors) * ROWS * self.target.lanes * OPERATIONS[self.product]

    def task(self, sweeps: int, *, threads: int = 1) -> Task:
        """Return so many sweeps as a task that up to `threads` threads share."""
        part, lanes = _product(self.product, self.target.dot), self.target.lanes
        size = -(-4 * lanes * ROWS * _columns(part, lanes) * _parts(part, lanes) // ALIGNMENT) * ALIGNMENT
        data, out = aligned(4 * lanes * (VECTORS + ROWS)), aligned(threads * size)
        words = np.array([data.ctypes.data, out.ctypes.data, size, sweeps], np.int64)
        function = task_function("qbench.kernels.ceiling:sweeps_of", self.product, self.target.name)
        return Task(function, words, (data, out))


def arithmetic(product: str) -> Arithmetic | None:
    """Return the sweeps of a key of `OPERATIONS` on the best target, None where this machine has none.

    Sums of 16 bits are none where a dot instruction is faster.
    """
    best = available()[-1] if available() else None
    return None if best is None or (product == SHORT and best.dot != "pairs") else Arithmetic(product, best)


@intrinsic(prefer_literal=True)
def _read(typingctx: Any, begin: Any, end: Any, sums: Any, lanes: Any) -> Any:
    """Add up the 32-bit words between two addresses, eight vectors at a time, and store a vector of sums at a third."""
    if not isinstance(lanes, types.Literal):
        return None

    def codegen(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        e = Emitter(builder, lanes.literal_value)
        first, target = (builder.inttoptr(arguments[i], I8.as_pointer()) for i in (0, 2))
        width, size = 4 * e.lanes, builder.sub(arguments[1], arguments[0])

        def body(at: Value, acc: list[Value]) -> list[Value]:
            return [builder.add(a, e.load(first, e.add_bytes(at, width * i), e.ints)) for i, a in enumerate(acc)]

        found = e.loop(ir.Constant(I64, 0), size, 8 * width, [e.constant(0, e.ints)] * 8, body)
        e.store(reduce(builder.add, found), target, ir.Constant(I64, 0))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3, lanes), codegen


def reads_of(lanes: int) -> Any:
    """Return the task that reads, to be compiled: address and units of the bytes, how often, address of the sums."""

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        data: int = word(arguments, 0)  # type: ignore[call-arg]
        units: int = word(arguments, 1)
        times: int = word(arguments, 2)
        sums: int = word(arguments, 3)
        begin, end = data + units * part // parts * READ_UNIT, data + units * (part + 1) // parts * READ_UNIT
        for _ in range(times):
            _read(begin, end, sums + ALIGNMENT * part, lanes)

    return run


def read_task(size: int, times: int = 1, *, threads: int = 1) -> Task:
    """Return the task that reads `size` bytes, rounded up to 512, so many times; up to `threads` threads share them."""
    units = -(-size // READ_UNIT)
    data, sums = aligned(units * READ_UNIT), aligned(threads * ALIGNMENT)
    data.fill(1)  # touches every page: pages that were never written all share one
    words = np.array([data.ctypes.data, units, times, sums.ctypes.data], np.int64)
    lanes = available()[-1].lanes if available() else 4
    return Task(task_function("qbench.kernels.ceiling:reads_of", lanes), words, (data, sums))
