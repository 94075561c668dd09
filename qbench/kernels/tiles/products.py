"""What one step of the depth does to one accumulator: the only place that knows a dot instruction or a popcount.

A step consumes one *k-group*: 4 bytes of the lhs row (four u8 codes, one f32, or 32 packed bits), broadcast to all
lanes, against one vector of the rhs. A packed rhs vector holds `planes` k-groups. With a `spread` of 2 a k-group is 8
bytes and every channel has two neighbouring lanes, added at the end: half the broadcasts, for layers of few channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qbench.kernels.tiles.emitter import Emitter, Value


@dataclass(frozen=True)
class Product:
    """The plain parts that most products share."""

    dot: str  # "vnni", "widen" or "": how four bytes are multiplied and summed
    planes: ClassVar[int] = 1
    lhs_words: ClassVar[int] = 1
    rhs_vectors: ClassVar[int] = 1
    count_weight: ClassVar[int] = 1  # dot = correction + count_weight * acc
    is_float: ClassVar[bool] = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> tuple[Value, ...]:
        """Load one k-group of a row and make it ready for `step`."""
        word = e.broadcast(row, offset, spread)
        return (word,) if self.dot != "widen" else _halves(e, word, signed=False)

    def rhs(self, e: Emitter, packed: tuple[Value, ...], plane: int) -> tuple[Value, ...]:
        """Make one k-group of the weights ready from its packed vectors and the table behind them."""
        return (packed[0],) if self.dot != "widen" else _halves(e, packed[0], signed=True)

    def step(self, e: Emitter, acc: Value, x: tuple[Value, ...], w: tuple[Value, ...]) -> Value:
        """Return acc + sum of the four products of each lane; exact, never saturating."""
        b = e.builder
        if self.dot == "vnni":
            name = f"llvm.x86.avx512.vpdpbusd.{32 * e.lanes}"
            return e.call(name, e.ints, acc, b.bitcast(x[0], e.bytes), b.bitcast(w[0], e.bytes))
        for half, weights in zip(x, w, strict=True):
            acc = b.add(acc, _multiply_add_pairs(e, half, weights))
        return acc

    def ones(self, e: Emitter) -> tuple[Value, ...]:
        """Return weights of one, so that `step` sums the lhs codes."""
        return self.rhs_of_bytes(e, e.constant(0x01010101, e.ints))

    def rhs_of_bytes(self, e: Emitter, word: Value) -> tuple[Value, ...]:
        """Return s8 weights, four in each lane, ready for `step`."""
        return (word,) if self.dot != "widen" else _halves(e, word, signed=True)


def _halves(e: Emitter, word: Value, *, signed: bool) -> tuple[Value, Value]:
    """Split four bytes a lane into the even and the odd two, each widened to 16 bits in place."""
    b = e.builder
    if not signed:
        mask = e.constant(0x00FF00FF, e.ints)
        return b.and_(word, mask), b.and_(b.lshr(word, e.constant(8, e.ints)), mask)
    eight = e.constant(8, e.shorts)
    shorts = b.bitcast(word, e.shorts)
    return b.bitcast(b.ashr(b.shl(shorts, eight), eight), e.ints), b.bitcast(b.ashr(shorts, eight), e.ints)


def _multiply_add_pairs(e: Emitter, x: Value, w: Value) -> Value:
    """Return the two 16-bit products of each lane, summed to 32 bits (pmaddwd: 255 * 128 * 2 cannot saturate)."""
    name = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}[e.lanes]
    return e.call(name, e.ints, e.builder.bitcast(x, e.shorts), e.builder.bitcast(w, e.shorts))


class BytesByBytes(Product):
    """u8 codes by s8 codes."""


@dataclass(frozen=True)
class BytesByTable(Product):
    """u8 codes by weights of 4, 2 or 1 bits that a 16-entry byte table maps to s8: int4, ternary, powers of two.

    The table is the last vector of the packed operand's tile; see `rhs`.
    """

    bits: int = 4

    @property
    def planes(self) -> int:  # type: ignore[override]  # a constant of the class elsewhere, of the width here
        """K-groups in one packed vector."""
        return 8 // self.bits

    def rhs(self, e: Emitter, packed: tuple[Value, ...], plane: int) -> tuple[Value, ...]:
        """Shift the plane down, mask it, and look its bytes up."""
        b = e.builder
        vector, table = packed
        if plane:
            vector = b.lshr(vector, e.constant(plane * self.bits, e.ints))
        mask = (1 << self.bits) - 1
        codes = b.and_(vector, e.constant(mask * 0x01010101, e.ints))
        name = {8: "llvm.x86.avx2.pshuf.b", 16: "llvm.x86.avx512.pshuf.b.512"}[e.lanes]
        return self.rhs_of_bytes(e, b.bitcast(e.call(name, e.bytes, table, b.bitcast(codes, e.bytes)), e.ints))


class BitsByBits(Product):
    """Binary by binary: counts the bits that differ; dot = depth - 2 * count, the depth in the correction."""

    count_weight = -2

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> tuple[Value, ...]:
        """Broadcast 32 channels' bits."""
        return (e.broadcast(row, offset, 1),)

    def rhs(self, e: Emitter, packed: tuple[Value, ...], plane: int) -> tuple[Value, ...]:
        """Nothing to unpack."""
        return packed[:1]

    def step(self, e: Emitter, acc: Value, x: tuple[Value, ...], w: tuple[Value, ...]) -> Value:
        """Return acc + popcount(x xor w)."""
        return e.builder.add(acc, e.overloaded("llvm.ctpop", e.builder.xor(x[0], w[0])))


class TritsByTrits(Product):
    """Ternary by ternary in two planes, non-zero and sign: counts 2 * opposite - (both non-zero); dot = -count."""

    lhs_words = 2
    rhs_vectors = 2
    count_weight = -1

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> tuple[Value, ...]:
        """Broadcast the non-zero word and the sign word of 32 channels."""
        return tuple(e.broadcast(row, e.add_bytes(offset, 4 * i), 1) for i in range(2))

    def rhs(self, e: Emitter, packed: tuple[Value, ...], plane: int) -> tuple[Value, ...]:
        """Nothing to unpack."""
        return packed[:2]

    def step(self, e: Emitter, acc: Value, x: tuple[Value, ...], w: tuple[Value, ...]) -> Value:
        """Return acc + 2 * popcount(opposite) - popcount(both)."""
        b = e.builder
        both = b.and_(x[0], w[0])
        opposite = b.and_(both, b.xor(x[1], w[1]))
        twice = b.shl(e.overloaded("llvm.ctpop", opposite), e.constant(1, e.ints))
        return b.sub(b.add(acc, twice), e.overloaded("llvm.ctpop", both))


class Floats(Product):
    """f32 by f32, fused multiply-add."""

    is_float = True

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> tuple[Value, ...]:
        """Broadcast one number."""
        return (e.builder.bitcast(e.broadcast(row, offset, spread), e.floats),)

    def rhs(self, e: Emitter, packed: tuple[Value, ...], plane: int) -> tuple[Value, ...]:
        """Read the vector as floats."""
        return (e.builder.bitcast(packed[0], e.floats),)

    def step(self, e: Emitter, acc: Value, x: tuple[Value, ...], w: tuple[Value, ...]) -> Value:
        """Return acc + x * w, rounded once."""
        return e.overloaded("llvm.fma", x[0], w[0], acc)


def product_of(name: str, dot: str) -> Product:
    """Return the product called `u8_s8`, `u8_t4`, `u8_t2`, `u8_t1`, `b1_b1`, `t2_t2` or `f32_f32`."""
    if name.startswith("u8_t"):
        return BytesByTable(dot, bits=int(name[-1]))
    return {"u8_s8": BytesByBytes, "b1_b1": BitsByBits, "t2_t2": TritsByTrits, "f32_f32": Floats}[name](dot)
