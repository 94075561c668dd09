"""Vectors of attention on codes: blocks of a product of u8 by s8 in registers, and weights of whole rows.

The second operand lies as the tiles' panels do, k-group by k-group, four bytes of each column side by side.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.tiles.dots import dot_bytes, halves, multiply_add_pairs
from qbench.kernels.tiles.emitter import I64, Emitter, Value
from qbench.kernels.tokens.rounds import LANES
from qbench.kernels.tokens.vectors import address_of, bytes_of_words, exp_vector, folded, larger


@intrinsic(prefer_literal=True)
def block_u8_s8(
    typingctx: Any, a: Any, a_at: Any, a_step: Any, b: Any, b_at: Any, b_step: Any, c: Any, c_at: Any, c_step: Any,
    groups: Any, shape: Any,
) -> Any:  # fmt: skip
    """Write c[i, j] = sum over k of a[i, k] * b[k, j], exactly, for a block of registers.

    `a` is u8, its place and step in bytes; `b` and `c` are int32, theirs in words: a word of `b` is four s8 of one
    column. `groups` is above 0, and `shape` the literal `rows x vectors x lanes x dot`.
    """
    if not isinstance(shape, types.Literal):
        return None
    *sizes, dot = shape.literal_value.split("x")
    rows, vectors, lanes = (int(number) for number in sizes)

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e = Emitter(builder, lanes)
        left, right, out = (address_of(context, builder, sig.args[i], values[i]) for i in (0, 3, 6))
        lines = [
            builder.gep(left, [builder.add(values[1], builder.mul(values[2], ir.Constant(I64, i)))])
            for i in range(rows)
        ]
        right, b_row = builder.gep(right, [bytes_of_words(builder, values[4])]), bytes_of_words(builder, values[5])

        def body(k: Value, acc: list[Value]) -> list[Value]:
            at, word = builder.mul(k, b_row), bytes_of_words(builder, k)
            columns = [e.load(right, e.add_bytes(at, 4 * lanes * j), e.ints) for j in range(vectors)]
            new = []
            for i in range(rows):
                x = e.broadcast(lines[i], word, 1)
                new += [_dot(e, acc[i * vectors + j], x, columns[j], dot) for j in range(vectors)]
            return new

        blank = [e.constant(0, e.ints)] * (rows * vectors)
        acc = e.loop(ir.Constant(I64, 0), values[9], 1, blank, body)
        for i in range(rows):
            row = bytes_of_words(builder, builder.add(values[7], builder.mul(values[8], ir.Constant(I64, i))))
            for j in range(vectors):
                e.store(acc[i * vectors + j], out, e.add_bytes(row, 4 * lanes * j))
        return context.get_dummy_value()

    number = types.int64
    return types.void(a, number, number, b, number, number, c, number, number, number, shape), codegen


def _dot(e: Emitter, acc: Value, unsigned: Value, signed: Value, dot: str) -> Value:
    """Return acc + four products a lane; without a dot instruction that cannot saturate, of halves widened."""
    if dot != "widen":
        return dot_bytes(e, acc, unsigned, signed, dot)
    pairs = zip(halves(e, unsigned, signed=False), halves(e, signed, signed=True), strict=True)
    for x, w in pairs:
        acc = e.builder.add(acc, multiply_add_pairs(e, x, w))
    return acc


@intrinsic(prefer_literal=True)
def weigh_rows(
    typingctx: Any, words: Any, at: Any, step: Any, less_at: Any, mask_at: Any, mask_step: Any, scale: Any,
    codes: Any, codes_at: Any, totals_at: Any, rows: Any,
) -> Any:  # fmt: skip
    """Write the weight of every key as a code, where 255 is the row's largest, and the sum of each row's codes.

    A score is fma(float32(acc - less), scale, mask); its weight is round(255 * exp(score - largest)). `words` is
    int32, the masks in it float32; `step`, a multiple of 16 above 0, is the length of a row of scores and of codes.
    `rows` is a literal: so many rows at a time hide each other's latencies.
    """
    if not isinstance(rows, types.Literal):
        return None
    height = rows.literal_value

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        e, b = Emitter(builder, LANES), builder
        base, target = address_of(context, b, sig.args[0], values[0]), address_of(context, b, sig.args[7], values[7])
        zero, factor = ir.Constant(I64, 0), e.splat(values[6])

        def line(start: Value, stride: Value, i: int) -> Value:
            return b.gep(base, [bytes_of_words(b, b.add(start, b.mul(stride, ir.Constant(I64, i))))])

        less = b.gep(base, [bytes_of_words(b, values[3])])
        scores = [line(values[1], values[2], i) for i in range(height)]
        masks = [line(values[4], values[5], i) for i in range(height)]
        outs = [b.gep(target, [b.add(values[8], b.mul(values[2], ir.Constant(I64, i)))]) for i in range(height)]

        def score(i: Value, tops: list[Value]) -> list[Value]:
            where, new = bytes_of_words(b, i), []
            least = e.load(less, where, e.ints)
            for row, mask, top in zip(scores, masks, tops, strict=True):
                acc = b.sitofp(b.sub(e.load(row, where, e.ints), least), e.floats)
                value = e.fma(acc, factor, e.load(mask, where, e.floats))
                e.store(value, row, where)
                new.append(larger(b, value, top))
            return new

        lowest = [e.constant(float("-inf"), e.floats)] * height
        tops = [
            e.splat(folded(e, top, lambda x, y: larger(b, x, y)))
            for top in e.loop(zero, values[2], LANES, lowest, score)
        ]

        def weigh(i: Value, totals: list[Value]) -> list[Value]:
            where, new = bytes_of_words(b, i), []
            for row, out, top, total in zip(scores, outs, tops, totals, strict=True):
                share = exp_vector(e, b.fsub(e.load(row, where, e.floats), top))
                code = b.fptosi(e.overloaded("llvm.rint", b.fmul(share, e.constant(255.0, e.floats))), e.ints)
                e.store(b.trunc(code, e.narrow), out, i)
                new.append(b.add(total, code))
            return new

        totals = e.loop(zero, values[2], LANES, [e.constant(0, e.ints)] * height, weigh)
        for i, total in enumerate(totals):
            place = e.add_bytes(bytes_of_words(b, values[9]), 4 * i)
            e.store(folded(e, total, b.add), base, place)
        return context.get_dummy_value()

    number = types.int64
    kinds = (words, number, number, number, number, number, types.float32, codes, number, number, rows)
    return types.void(*kinds), codegen
