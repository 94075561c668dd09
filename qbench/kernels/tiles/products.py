"""What one step of the depth does to one accumulator; instructions are in `dots`, products of bits in `bit_products`.

A step consumes one *k-group*: 4 bytes of the lhs row (four u8 codes, one f32, or 32 packed bits), broadcast to all
lanes, against one vector of the rhs. `vectors` packed rhs vectors hold `planes` k-groups. With a `spread` of 2 a
k-group is 8 bytes and every channel has two neighbouring lanes, added at the end: half the broadcasts, for layers of
few channels.

What a product is, and how products are named, is in `qbench.kernels.product`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from qbench.kernels.product import Product
from qbench.kernels.tiles.bit_products import BitsByBits, PlanesByPlanes, TritsByTrits
from qbench.kernels.tiles.dots import dot_bytes, dot_shorts, halves, multiply_add_pairs
from qbench.kernels.tiles.emitter import Emitter, Value
from qbench.kernels.tiles.multiplier import Multiplier, Vectors

SIGNS = 0x80808080


@dataclass(frozen=True)
class Bytes(Multiplier):
    """u8 or s8 codes by s8 codes; a lhs of the other sign than the dot instruction wants is shifted by 128.

    The correction undoes that: `conv.operation.bind` sees to `sdot`, its caller to a signed lhs.
    """

    signed_lhs: bool = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast four codes."""
        flips = self.signed_lhs != (self.dot == "sdot")
        return self._of_codes(e, e.broadcast(row, offset, spread, flip=SIGNS if flips else 0))

    def selected_lhs(self, e: Emitter, row: Value, offset: Value, selectors: Value) -> Vectors:
        """Broadcast four codes out of 16."""
        word = e.selected(row, offset, selectors)
        return self._of_codes(e, e.builder.xor(word, e.constant(SIGNS, e.ints)) if self.signed_lhs else word)

    def _of_codes(self, e: Emitter, word: Value) -> Vectors:
        return (word,) if self.dot != "widen" else halves(e, word, signed=False)

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Nothing to unpack."""
        return self.of_bytes(e, packed[0])

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + sum of the four products of each lane."""
        if self.dot != "widen":
            return dot_bytes(e, acc, x[0], w[0], self.dot)
        for half, weights in zip(x, w, strict=True):
            acc = e.builder.add(acc, multiply_add_pairs(e, half, weights))
        return acc

    def ones(self, e: Emitter) -> Vectors:
        """Return weights of one, so that `step` sums the lhs codes."""
        return self.of_bytes(e, e.constant(0x01010101, e.ints))

    def of_bytes(self, e: Emitter, word: Value) -> Vectors:
        """Return s8 weights, four in each lane, ready for `step`."""
        return (word,) if self.dot != "widen" else halves(e, word, signed=True)


class Shorts(Multiplier):
    """s16 by s16, two numbers per lane, summed modulo 2 ** 32."""

    is_scaled: ClassVar[bool] = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast two numbers."""
        return (e.broadcast(row, offset, spread),)

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Nothing to unpack."""
        return packed

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + sum of the two products of each lane."""
        return dot_shorts(e, acc, x[0], w[0], self.dot)


@dataclass(frozen=True)
class BytesByFewBits(Bytes):
    """u8 codes by two's complement weights of fewer bits, unpacked into the highest bits of a byte.

    A width is split into fields of 4, 2 and 1 bits, each packed in vectors of its own. The value of a byte is the code
    times 2 ** (8 - bits), so the accumulator is that much too large: `multiple`. No table, no sign extension.

    `pairs` needs small bytes: there codes are packed `bias` too large, unpacked into the lowest bits, and put right.
    """

    bits: int = 4

    @property
    def fields(self) -> tuple[int, ...]:
        """Widths of the packed fields, highest bits first."""
        return tuple(width for width in (4, 2, 1) if self.bits & width)

    @property
    def planes(self) -> int:  # type: ignore[override]  # constants of the class elsewhere, of the width here
        """K-groups in a full set of packed vectors."""
        return 8 // self.fields[-1]

    @property
    def vectors(self) -> int:  # type: ignore[override]
        """Packed vectors of a full set."""
        return self.planes * self.bits // 8

    @property
    def bias(self) -> int:
        """What packed codes are too large."""
        return 1 << (self.bits - 1) if self.dot == "pairs" else 0

    @property
    def multiple(self) -> int:  # type: ignore[override]
        """How many times too large the accumulator is."""
        return 1 if self.bias else 1 << (8 - self.bits)

    @property
    def short_steps(self) -> int:  # type: ignore[override]
        """K-groups that `pairs` may sum in 16 bits: 255 * 2 * 64 fits them once, 255 * 2 * 8 eight times."""
        return 64 // self.bias if self.bias else 1

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Shift every field to its place, mask it, and join them."""
        b, word, first, high = e.builder, None, 0, self.bits if self.bias else 8
        for width in self.fields:
            each = 8 // width
            place, high = plane % each * width, high - width
            field = packed[first + plane // each]
            if high > place:
                field = b.shl(field, e.constant(high - place, e.ints))
            elif high < place:
                field = b.lshr(field, e.constant(place - high, e.ints))
            mask = ((1 << width) - 1) << high
            field = b.and_(field, e.constant(mask * 0x01010101, e.ints))
            word = field if word is None else b.or_(word, field)
            first += self.planes // each
        if self.bias:
            word = b.bitcast(b.sub(b.bitcast(word, e.bytes), e.constant(self.bias, e.bytes)), e.ints)
        return self.of_bytes(e, word)


@dataclass(frozen=True)
class BytesByTable(Bytes):
    """u8 codes by weights of 4 or 1 bits that a 16-entry byte table maps to s8: powers of two, codebooks, -1 and 1."""

    bits: int = 4
    has_table: ClassVar[bool] = True

    @property
    def planes(self) -> int:  # type: ignore[override]  # a constant of the class elsewhere, of the width here
        """K-groups in one packed vector."""
        return 8 // self.bits

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Shift the plane down, mask it, and look its bytes up."""
        b, vector = e.builder, packed[0]
        if plane:
            vector = b.lshr(vector, e.constant(plane * self.bits, e.ints))
        mask = (1 << self.bits) - 1
        codes = b.and_(vector, e.constant(mask * 0x01010101, e.ints))
        name = {4: "llvm.aarch64.neon.tbl1.v16i8", 8: "llvm.x86.avx2.pshuf.b", 16: "llvm.x86.avx512.pshuf.b.512"}[
            e.lanes
        ]
        return self.of_bytes(e, b.bitcast(e.call(name, e.bytes, table, b.bitcast(codes, e.bytes)), e.ints))


class Floats(Multiplier):
    """f32 by f32, fused multiply-add."""

    is_float = True
    is_scaled: ClassVar[bool] = False

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Broadcast one number."""
        return (e.builder.bitcast(e.broadcast(row, offset, spread), e.floats),)

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Read the vector as floats."""
        return (e.builder.bitcast(packed[0], e.floats),)

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + x * w, rounded once."""
        return e.fma(x[0], w[0], acc)


@dataclass(frozen=True)
class FloatsByCodes(Floats):
    """f32 by two's complement weights of 8 or 4 bits, consecutive ones in the bits of a lane: weight-only products."""

    bits: int = 8
    is_scaled: ClassVar[bool] = True
    spreads: ClassVar[bool] = False

    @property
    def planes(self) -> int:  # type: ignore[override]  # a constant of the class elsewhere, of the width here
        """Weights in one packed lane."""
        return 32 // self.bits

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Move the code to the highest bits, extend its sign downwards, convert."""
        b, top = e.builder, 32 - self.bits
        code = b.shl(packed[0], e.constant(top - plane * self.bits, e.ints)) if plane < self.planes - 1 else packed[0]
        return (b.sitofp(b.ashr(code, e.constant(top, e.ints)), e.floats),)


@cache
def multiplier_of(product: Product, dot: str = "") -> Multiplier:
    """Return what multiplies a product's codes with a target's dot instruction; "" will do for what all have alike."""
    lhs, rhs, signed = product.lhs, product.rhs, product.is_signed
    if lhs.kind == "p":
        return PlanesByPlanes(dot, lhs.bits, rhs.bits)
    if product.is_words:
        return (BitsByBits if product.is_binary else TritsByTrits)(dot)
    if product.is_float:
        return Floats(dot) if rhs.kind == "f" else FloatsByCodes(dot, bits=rhs.bits)
    if lhs.bits == 16:
        return Shorts(dot)
    if product.has_table:
        return BytesByTable(dot, signed, rhs.bits)
    return Bytes(dot, signed) if rhs.bits == 8 else BytesByFewBits(dot, signed, rhs.bits)
