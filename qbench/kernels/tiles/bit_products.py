"""Products of packed bits: binary, ternary in two planes, and planes of bits; a step takes 32 channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qbench.kernels.tiles.dots import add_counts
from qbench.kernels.tiles.emitter import Emitter, Value
from qbench.kernels.tiles.product import Product, Vectors


class BitsByBits(Product):
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
        if self.dot == "pairs":
            return add_counts(e, acc, differing, 1, self.dot)
        return e.builder.add(acc, e.overloaded("llvm.ctpop", differing))


class TritsByTrits(Product):
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


@dataclass(frozen=True)
class PlanesByPlanes(Product):
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
