"""Products of packed bits: binary, ternary in two planes, and planes of bits; a step takes 32 channels.

Where one instruction joins three bits (AVX-512), ones are not counted one by one: a sum keeps a vector `ones` of single
bits, adds two more bits to each as a full adder does, and counts the carries alone, each of which stands for two ones
(Harley and Seal). Ternary takes 5 instructions per step instead of 6, 2 bits by 2 take 11 instead of 12, and fewer of
them count, which two ports share with dot instructions. Binary is carried where no instruction counts bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qbench.kernels.tiles.dots import add_counts
from qbench.kernels.tiles.emitter import WIDE, Emitter, Value
from qbench.kernels.tiles.multiplier import Multiplier, Vectors

WORD = 32
"""Channels of a step, in the bits of a lane."""


def _ones(e: Emitter, bits: Value) -> Value:
    return e.overloaded("llvm.ctpop", bits)


def _twice(e: Emitter, count: Value, more: Value) -> Value:
    """Return 2 * count + more."""
    return e.builder.add(e.builder.shl(count, e.constant(1, e.ints)), more)


def _carry(e: Emitter, before: Value, between: Value, after: Value) -> Value:
    """Return what is carried when two bits are added to `before`, by the sums after the first and the second."""
    return e.logic(lambda a, b, c: (a & (a ^ b)) | (b & (b ^ c)), before, between, after)


class BitsByBits(Multiplier):
    """Binary by binary: counts the bits that differ; dot = depth - 2 * count, the depth in the correction."""

    count_weight = -2
    spreads = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast 32 channels' bits."""
        return (e.broadcast(row, offset, 1),)

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Nothing to unpack."""
        return packed

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + popcount(x xor w)."""
        differing = e.builder.xor(x[0], w[0])
        return add_counts(e, acc, differing, 1, self.dot)

    def together(self, lanes: int, k_groups: int) -> int:
        """Two k-groups fill a full adder, worth it where no instruction counts bits."""
        return 2 if lanes == WIDE and self.dot == "widen" and k_groups % 2 == 0 else 1

    def parts(self, lanes: int, together: int) -> int:
        """The carries counted so far and, where there are, the ones."""
        return together

    def steps(self, e: Emitter, state: Vectors, xs: Sequence[Vectors], ws: Sequence[Vectors]) -> Vectors:
        """Return the state with the bits that differ added."""
        if len(xs) == 1:
            return super().steps(e, state, xs, ws)
        carries, ones = state
        sums = [ones]
        for (x,), (w,) in zip(xs, ws, strict=True):
            sums.append(e.builder.xor(sums[-1], e.builder.xor(x, w)))
        return e.builder.add(carries, _ones(e, _carry(e, *sums))), sums[-1]

    def total(self, e: Emitter, state: Vectors) -> Value:
        """Return the count."""
        return state[0] if len(state) == 1 else _twice(e, state[0], _ones(e, state[1]))


class TritsByTrits(Multiplier):
    """Ternary by ternary in two planes, non-zero and sign: dot = (both non-zero) - 2 * (of them, opposite)."""

    lhs_words = 2
    vectors = 2
    spreads = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast the non-zero word and the sign word of 32 channels."""
        return tuple(e.broadcast(row, e.add_bytes(offset, 4 * i), 1) for i in range(2))

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Nothing to unpack."""
        return packed

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + popcount(both) - 2 * popcount(opposite)."""
        b = e.builder
        both = b.and_(x[0], w[0])
        opposite = b.and_(both, b.xor(x[1], w[1]))
        return add_counts(e, add_counts(e, acc, both, 1, self.dot), opposite, -2, self.dot)

    def parts(self, lanes: int, together: int) -> int:
        """The carries counted so far, and the ones."""
        return 2 if lanes == WIDE else 1

    def steps(self, e: Emitter, state: Vectors, xs: Sequence[Vectors], ws: Sequence[Vectors]) -> Vectors:
        """Return the state with product + 1 ones added: none, one or two."""
        if len(state) == 1:
            return super().steps(e, state, xs, ws)
        (carries, ones), (x,), (w,) = state, xs, ws
        new = e.logic(lambda a, b, c: ~(a ^ (b & c)), ones, x[0], w[0])  # one more unless both are not zero
        opposite = e.builder.xor(x[1], w[1])
        carry = e.logic(lambda a, b, c: ~c if ~(a ^ b) & 1 else a, ones, new, opposite)
        return e.builder.add(carries, _ones(e, carry)), new

    def total(self, e: Emitter, state: Vectors) -> Value:
        """Return the count."""
        return state[0] if len(state) == 1 else _twice(e, state[0], _ones(e, state[1]))

    def excess(self, lanes: int) -> int:
        """A one for every channel."""
        return WORD if lanes == WIDE else 0


@dataclass(frozen=True)
class PlanesByPlanes(Multiplier):
    """Unsigned lhs codes by two's complement weights in bit planes: the sum over pairs of popcount(x & w) * 2^(i+j)."""

    lhs_bits: int = 2
    rhs_bits: int = 2
    spreads: ClassVar[bool] = False

    @property
    def lhs_words(self) -> int:  # type: ignore[override]  # constants of the class elsewhere, of the widths here
        """Words of 32 channels: a plane each."""
        return self.lhs_bits

    @property
    def vectors(self) -> int:  # type: ignore[override]
        """Packed vectors: a plane each."""
        return self.rhs_bits

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast the planes of 32 channels."""
        return tuple(e.broadcast(row, e.add_bytes(offset, 4 * i), 1) for i in range(self.lhs_bits))

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Nothing to unpack."""
        return packed

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + the weighted counts; the highest plane of the weights is negative."""
        for j, weights in enumerate(w):
            sign = -1 if j == self.rhs_bits - 1 else 1
            for i, codes in enumerate(x):
                acc = add_counts(e, acc, e.builder.and_(codes, weights), sign << (i + j), self.dot)
        return acc

    def _carries(self, lanes: int) -> bool:
        return lanes == WIDE and self.lhs_bits == self.rhs_bits == 2

    def parts(self, lanes: int, together: int) -> int:
        """Counts of bits that stand for 1, ones that stand for 2, counts of bits that stand for 4."""
        return 3 if self._carries(lanes) else 1

    def steps(self, e: Emitter, state: Vectors, xs: Sequence[Vectors], ws: Sequence[Vectors]) -> Vectors:
        """Return the state with four products of planes added, the negative one that stands for 2 as 1 - product."""
        if len(state) == 1:
            return super().steps(e, state, xs, ws)
        (low, ones, high), (x,), (w,) = state, xs, ws
        b = e.builder
        half = e.logic(lambda a, b, c: ~(a ^ (b & c)), ones, x[0], w[1])
        new = e.logic(lambda a, b, c: a ^ (b & c), half, x[1], w[0])
        high = b.sub(b.add(high, _ones(e, _carry(e, ones, half, new))), _ones(e, b.and_(x[1], w[1])))
        return b.add(low, _ones(e, b.and_(x[0], w[0]))), new, high

    def total(self, e: Emitter, state: Vectors) -> Value:
        """Return the sum."""
        if len(state) == 1:
            return state[0]
        low, ones, high = state
        return _twice(e, _twice(e, high, _ones(e, ones)), low)

    def excess(self, lanes: int) -> int:
        """Two for every channel."""
        return 2 * WORD if self._carries(lanes) else 0
