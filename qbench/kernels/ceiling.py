"""Loops of nothing but arithmetic, or nothing but reading: what this machine can do. The runner owns the clock.

Each loop is a tile of 4 x 4 sums, 4 x 2 where there are 16 registers or a sum takes several, over 4 KiB that stay in
the first-level cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.jit import jit
from qbench.kernels.layout import aligned
from qbench.kernels.tiles.dots import add_pairs
from qbench.kernels.tiles.emitter import I8, I64, Emitter, Value
from qbench.kernels.tiles.product import Product
from qbench.kernels.tiles.products import product_of
from qbench.kernels.tiles.targets import available, target_of

ROWS = 4
VECTORS = 64
SHORT = "short"
"""u8 by weights of few bits where there is no dot instruction: 16-bit sums, which in use are widened now and then."""
REPEATS = 64
"""Sweeps before the sums are stored: one a sweep would cost 6 % of the rate."""
OPERATIONS = {"u8_s8": 8, SHORT: 8, "b1_b1": 64, "t2_t2": 64, "f32_f32": 2}
"""Arithmetic operations of one product in one 32-bit lane: two a multiply-add."""


def _product(name: str, dot: str) -> Product:
    """Return the product of a key of `OPERATIONS`."""
    return product_of("u8_s8" if name == SHORT else name, dot)


def _columns(part: Product, lanes: int) -> int:
    """Return the columns of a tile: 8 lanes go with 16 registers, the others with 32."""
    return 2 if lanes == 8 or _parts(part, lanes) > 1 else 4


def _parts(part: Product, lanes: int) -> int:
    return part.parts(lanes, part.together(lanes, 2))


@intrinsic(prefer_literal=True)
def _sweep(typingctx: Any, data: Any, out: Any, product: Any, dot: Any, lanes: Any) -> Any:
    """Multiply four broadcast words by all vectors of `data`, some at a time, and store the sums in `out`."""
    literals = (product, dot, lanes)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    name, how, width = (kind.literal_value for kind in literals)

    def codegen(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        e, part = Emitter(builder, width), _product(name, how)
        columns, parts, together = _columns(part, width), _parts(part, width), part.together(width, 2)
        base, target = (
            builder.bitcast(context.make_array(sig.args[i])(context, builder, arguments[i]).data, I8.as_pointer())
            for i in (0, 1)
        )
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

    return types.void(data, out, *literals), codegen


@cache
def _loop(product: str, target: str) -> Callable[..., Any]:
    facts = target_of(target)
    dot, lanes = facts.dot, facts.lanes

    def run(data: Any, out: Any, loops: int) -> None:
        for _ in range(loops):
            _sweep(data, out, product, dot, lanes)  # type: ignore[call-arg]

    return jit(run)


def arithmetic(product: str, loops: int) -> int:
    """Run `loops` sweeps of a key of `OPERATIONS` on the best target; return the operations done."""
    if not available():
        return 0
    best = available()[-1]
    if product == SHORT and best.dot != "pairs":
        return 0
    part = _product(product, best.dot)
    sums = ROWS * _columns(part, best.lanes) * _parts(part, best.lanes)
    data, out = aligned(4 * best.lanes * (VECTORS + ROWS)), aligned(4 * best.lanes * sums)
    _loop(product, best.name)(data, out, loops)
    return loops * REPEATS * (VECTORS // part.vectors) * ROWS * best.lanes * OPERATIONS[product]


def int8_dot(loops: int) -> int:
    """Run u8 by s8 products; return the operations done."""
    return arithmetic("u8_s8", loops)


def short_dot(loops: int) -> int:
    """Run u8 by s8 products summed in 16 bits; return the operations done, 0 where a dot instruction is faster."""
    return arithmetic(SHORT, loops)


def popcount(loops: int) -> int:
    """Run binary by binary products; return the operations done."""
    return arithmetic("b1_b1", loops)


def ternary(loops: int) -> int:
    """Run ternary by ternary products; return the operations done."""
    return arithmetic("t2_t2", loops)


def float32_fma(loops: int) -> int:
    """Run float32 fused multiply-adds; return the operations done."""
    return arithmetic("f32_f32", loops)


@intrinsic(prefer_literal=True)
def _read(typingctx: Any, data: Any, size: Any, lanes: Any) -> Any:
    """Return the sum of all 32-bit words of `size` bytes, eight vectors at a time."""
    if not isinstance(lanes, types.Literal):
        return None

    def codegen(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        e = Emitter(builder, sig.args[2].literal_value)
        base = builder.bitcast(context.make_array(sig.args[0])(context, builder, arguments[0]).data, I8.as_pointer())
        width = 4 * e.lanes

        def body(at: Value, acc: list[Value]) -> list[Value]:
            return [builder.add(a, e.load(base, e.add_bytes(at, width * i), e.ints)) for i, a in enumerate(acc)]

        sums = e.loop(ir.Constant(I64, 0), arguments[1], 8 * width, [e.constant(0, e.ints)] * 8, body)
        total = sums[0]
        for value in sums[1:]:
            total = builder.add(total, value)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.int32(data, size, lanes), codegen


@cache
def _reader(lanes: int) -> Callable[..., Any]:
    def run(data: Any, size: int, loops: int) -> Any:
        total = 0
        for _ in range(loops):
            total += _read(data, size, lanes)  # type: ignore[call-arg]
        return total

    return jit(run)


def read_bytes(buffer: npt.NDArray[np.uint8], loops: int = 1) -> int:
    """Read all of `buffer` (whole multiples of 512 bytes) `loops` times and return a checksum."""
    lanes = available()[-1].lanes if available() else 4
    return int(_reader(lanes)(buffer, buffer.size // 512 * 512, loops))
