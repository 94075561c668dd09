"""Vectors that Numba's own loops cannot be: sums and maxima of rows, and blocks of a product held in registers.

LLVM makes 16 lanes of whatever vectors the CPU has; only the products' blocks are cut to its registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.tiles.emitter import F32, I8, I32, I64, Emitter, Value
from qbench.kernels.tokens.rounds import EXP_TERMS, LANES, LN2_HIGH, LN2_LOW, LOG2_E


def address_of(context: Any, builder: Any, kind: Any, array: Value) -> Value:
    """Return the address of an array's first byte."""
    return builder.bitcast(context.make_array(kind)(context, builder, array).data, I8.as_pointer())


def bytes_of_words(builder: Any, elements: Value) -> Value:
    """Return the bytes of so many words of 32 bits."""
    return builder.mul(elements, ir.Constant(I64, 4))


def folded(e: Emitter, value: Value, join: Any) -> Value:
    """Return all lanes joined, halves upon halves."""
    width = e.lanes
    while width > 1:
        width //= 2
        order = [(lane + width) % e.lanes for lane in range(e.lanes)]
        other = e.builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(I32, e.lanes), order))
        value = join(value, other)
    return e.builder.extract_element(value, ir.Constant(I32, 0))


def larger(builder: Any, x: Value, y: Value) -> Value:
    """Return the larger of numbers that are not NaN."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def _row_sum(context: Any, builder: Any, sig: Any, values: Any, chains: int, term: Any) -> Value:
    """Emit the sum of term(e, total, a[a_at + i] + b[b_at + i]) over i < count, in `chains` vectors that take turns.

    The first five of `values` are a, a_at, b, b_at and count, a multiple of 16 * chains above 0.
    """
    e = Emitter(builder, LANES)
    left, right = (address_of(context, builder, sig.args[i], values[i]) for i in (0, 2))

    def body(i: Value, state: list[Value]) -> list[Value]:
        new = []
        for chain, total in enumerate(state):
            x, y = (
                e.load(base, bytes_of_words(builder, e.add_bytes(builder.add(at, i), LANES * chain)), e.floats, align=4)
                for base, at in ((left, values[1]), (right, values[3]))
            )
            new.append(term(e, total, builder.fadd(x, y)))
        return new

    blank = [e.constant(0.0, e.floats)] * chains
    totals = e.loop(ir.Constant(I64, 0), values[4], LANES * chains, blank, body)
    while len(totals) > 1:
        totals = [builder.fadd(totals[i], totals[i + 1]) for i in range(0, len(totals), 2)]
    return folded(e, totals[0], builder.fadd)


@intrinsic(prefer_literal=True)
def sum_of(typingctx: Any, a: Any, a_at: Any, b: Any, b_at: Any, count: Any, chains: Any) -> Any:
    """Return the sum of a[a_at + i] + b[b_at + i] over i < count, a multiple of 16 * chains above 0.

    `chains` is a literal, 1, 2 or 4: one vector of sums would wait for its own last addition.
    """
    if not isinstance(chains, types.Literal):
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return _row_sum(context, builder, sig, values, chains.literal_value, lambda e, total, x: builder.fadd(total, x))

    return types.float32(a, types.int64, b, types.int64, types.int64, chains), codegen


@intrinsic(prefer_literal=True)
def squares_of(typingctx: Any, a: Any, a_at: Any, b: Any, b_at: Any, count: Any, mean: Any, chains: Any) -> Any:
    """Return the sum of (a[a_at + i] + b[b_at + i] - mean) ** 2, as `sum_of` does."""
    if not isinstance(chains, types.Literal):
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        def term(e: Emitter, total: Value, x: Value) -> Value:
            apart = builder.fsub(x, e.splat(values[5]))
            return e.fma(apart, apart, total)

        return _row_sum(context, builder, sig, values, chains.literal_value, term)

    return types.float32(a, types.int64, b, types.int64, types.int64, types.float32, chains), codegen


@intrinsic(prefer_literal=True)
def softmax_rows(typingctx: Any, a: Any, at: Any, step: Any, count: Any, sums_at: Any, rows: Any) -> Any:
    """Replace `rows` rows of `count` numbers by exp(x - the row's largest); write each row's 1 / sum from sums_at on.

    `count` is a multiple of 16 above 0; `rows` is a literal: so many rows at a time hide each other's latencies.
    """
    if not isinstance(rows, types.Literal):
        return None
    height = rows.literal_value

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e = Emitter(builder, LANES)
        base = address_of(context, builder, sig.args[0], values[0])
        zero = ir.Constant(I64, 0)
        starts = [builder.add(values[1], builder.mul(values[2], ir.Constant(I64, i))) for i in range(height)]
        lines = [builder.gep(base, [bytes_of_words(builder, start)]) for start in starts]

        def most(i: Value, state: list[Value]) -> list[Value]:
            where = bytes_of_words(builder, i)
            return [
                larger(builder, e.load(line, where, e.floats, align=4), old)
                for line, old in zip(lines, state, strict=True)
            ]

        lowest = [e.constant(float("-inf"), e.floats)] * height
        tops = [
            e.splat(folded(e, x, lambda x, y: larger(builder, x, y)))
            for x in e.loop(zero, values[3], LANES, lowest, most)
        ]

        def powers(i: Value, state: list[Value]) -> list[Value]:
            where, new = bytes_of_words(builder, i), []
            for line, top, total in zip(lines, tops, state, strict=True):
                value = exp_vector(e, builder.fsub(e.load(line, where, e.floats, align=4), top))
                e.store(value, line, where)
                new.append(builder.fadd(total, value))
            return new

        totals = e.loop(zero, values[3], LANES, [e.constant(0.0, e.floats)] * height, powers)
        for i, total in enumerate(totals):
            share = builder.fdiv(ir.Constant(F32, 1.0), folded(e, total, builder.fadd))
            e.store(share, base, e.add_bytes(bytes_of_words(builder, values[4]), 4 * i))
        return context.get_dummy_value()

    number = types.int64
    return types.void(a, number, number, number, number, rows), codegen


def exp_vector(e: Emitter, x: Value) -> Value:
    """Return exp(x) of numbers that are not positive; below -87 it is exp(-87). See `functions.exp_f32`."""
    b = e.builder
    least = e.constant(-87.0, e.floats)
    x = b.select(b.fcmp_ordered(">", x, least), x, least)
    n = e.overloaded("llvm.rint", b.fmul(x, e.constant(LOG2_E, e.floats)))
    r = e.fma(n, e.constant(-LN2_HIGH, e.floats), x)
    r = e.fma(n, e.constant(LN2_LOW, e.floats), r)
    p = e.constant(EXP_TERMS[0], e.floats)
    for term in EXP_TERMS[1:]:
        p = e.fma(p, r, e.constant(term, e.floats))
    p = e.fma(p, b.fmul(r, r), b.fadd(r, e.constant(1.0, e.floats)))
    bits = b.shl(b.add(b.fptosi(n, e.ints), e.constant(127, e.ints)), e.constant(23, e.ints))
    return b.fmul(p, b.bitcast(bits, e.floats))


@intrinsic
def transpose_block(typingctx: Any, a: Any, a_at: Any, a_step: Any, c: Any, c_at: Any, c_step: Any, scale: Any) -> Any:
    """Write c[j, i] = a[i, j] * scale of 16 by 16 numbers; matrices as in `block`."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e = Emitter(builder, LANES)
        source, target = (address_of(context, builder, sig.args[i], values[i]) for i in (0, 3))
        (first, row), (to, to_row) = (
            (bytes_of_words(builder, values[i]), bytes_of_words(builder, values[i + 1])) for i in (1, 4)
        )
        factor = e.splat(values[6])
        lines = [
            e.load(source, builder.add(first, builder.mul(row, ir.Constant(I64, i))), e.floats, align=4)
            for i in range(LANES)
        ]
        for _ in range(4):  # each turn interleaves row i with row i + 8
            lines = [
                builder.shuffle_vector(lines[i], lines[i + 8], _interleaved(half)) for i in range(8) for half in (0, 8)
            ]
        for i, line in enumerate(lines):
            e.store(builder.fmul(line, factor), target, builder.add(to, builder.mul(to_row, ir.Constant(I64, i))))
        return context.get_dummy_value()

    number = types.int64
    return types.void(a, number, number, c, number, number, types.float32), codegen


def _interleaved(half: int) -> Value:
    order = [lane for i in range(half, half + 8) for lane in (i, LANES + i)]
    return ir.Constant(ir.VectorType(I32, LANES), order)


@intrinsic(prefer_literal=True)
def block(
    typingctx: Any, a: Any, a_at: Any, a_step: Any, b: Any, b_at: Any, b_step: Any, c: Any, c_at: Any, c_step: Any,
    depth: Any, shape: Any,
) -> Any:  # fmt: skip
    """Write c[i, j] = sum over k of a[i, k] * b[k, j], by fused additions in the order of k, for a block of registers.

    Every matrix is a flat float32 array, the place of its first number and the step from row to row; `depth` is above
    0, and `shape` the literal `rows x vectors x lanes`.
    """
    if not isinstance(shape, types.Literal):
        return None
    rows, vectors, lanes = (int(number) for number in shape.literal_value.split("x"))

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e = Emitter(builder, lanes)
        left, right, out = (address_of(context, builder, sig.args[i], values[i]) for i in (0, 3, 6))
        (a_first, a_row), (b_first, b_row), (c_first, c_row) = (
            (bytes_of_words(builder, values[i]), bytes_of_words(builder, values[i + 1])) for i in (1, 4, 7)
        )
        starts = [
            builder.gep(left, [builder.add(a_first, builder.mul(a_row, ir.Constant(I64, i)))]) for i in range(rows)
        ]
        right = builder.gep(right, [b_first])

        def body(k: Value, acc: list[Value]) -> list[Value]:
            at = builder.mul(k, b_row)
            columns = [e.load(right, e.add_bytes(at, 4 * lanes * j), e.floats, align=4) for j in range(vectors)]
            new = []
            for i in range(rows):
                x = e.splat(e.load(starts[i], bytes_of_words(builder, k), F32, align=4))
                new += [e.fma(x, columns[j], acc[i * vectors + j]) for j in range(vectors)]
            return new

        blank = [e.constant(0.0, e.floats)] * (rows * vectors)
        acc = e.loop(ir.Constant(I64, 0), values[9], 1, blank, body)
        for i in range(rows):
            row = builder.add(c_first, builder.mul(c_row, ir.Constant(I64, i)))
            for j in range(vectors):
                e.store(acc[i * vectors + j], out, e.add_bytes(row, 4 * lanes * j))
        return context.get_dummy_value()

    number = types.int64
    return types.void(a, number, number, b, number, number, c, number, number, number, shape), codegen
