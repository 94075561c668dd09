"""Products and counts of a lane's bytes, summed: the only place that names a dot instruction of an instruction set."""

from __future__ import annotations

from qbench.kernels.tiles.emitter import Emitter, Value


def dot_bytes(e: Emitter, acc: Value, unsigned: Value, signed: Value, dot: str = "vnni") -> Value:
    """Return acc + the sum of four u8 by s8 products of each lane; for `sdot` both are s8.

    `pairs` sums two products to 16 bits, which saturate, and those to 32: exact for what `tiles.pairs` calls safe.
    """
    b = e.builder
    if dot == "pairs":
        return add_shorts(e, acc, add_pairs(e, None, unsigned, signed))
    name = f"llvm.x86.avx512.vpdpbusd.{32 * e.lanes}" if dot == "vnni" else f"llvm.aarch64.neon.{dot}.v4i32.v16i8"
    return e.call(name, e.ints, acc, b.bitcast(unsigned, e.bytes), b.bitcast(signed, e.bytes))


def add_pairs(e: Emitter, shorts: Value | None, unsigned: Value, signed: Value) -> Value:
    """Return 16-bit sums, or none yet, + the u8 by s8 products, two neighbours summed, which saturates (pmaddubsw)."""
    bytes_of = (e.builder.bitcast(value, e.bytes) for value in (unsigned, signed))
    found = e.call("llvm.x86.avx2.pmadd.ub.sw", e.shorts, *bytes_of)
    return found if shorts is None else e.builder.add(shorts, found)


def add_shorts(e: Emitter, acc: Value, shorts: Value) -> Value:
    """Return acc + both 16-bit numbers of each lane."""
    return e.builder.add(acc, multiply_add_pairs(e, shorts, e.constant(1, e.shorts)))


def add_counts(e: Emitter, acc: Value, bits: Value, weight: int, dot: str) -> Value:
    """Return acc + weight * popcount(bits): bytes' counts summed and weighted by one dot instruction where there is."""
    b = e.builder
    if dot == "pairs" or (dot == "vnni" and e.lanes == 16 and weight != 1):
        counts = e.overloaded("llvm.ctpop", b.bitcast(bits, e.bytes))
        return dot_bytes(e, acc, counts, e.constant((weight & 0xFF) * 0x01010101, e.ints), dot)
    counts = e.overloaded("llvm.ctpop", bits)
    return b.add(acc, counts if weight == 1 else b.mul(counts, e.constant(weight, e.ints)))


def halves(e: Emitter, word: Value, *, signed: bool) -> tuple[Value, Value]:
    """Split four bytes per lane into the even and the odd two, each widened to 16 bits in place."""
    b = e.builder
    if not signed:
        mask = e.constant(0x00FF00FF, e.ints)
        return b.and_(word, mask), b.and_(b.lshr(word, e.constant(8, e.ints)), mask)
    eight = e.constant(8, e.shorts)
    shorts = b.bitcast(word, e.shorts)
    return b.bitcast(b.ashr(b.shl(shorts, eight), eight), e.ints), b.bitcast(b.ashr(shorts, eight), e.ints)


def multiply_add_pairs(e: Emitter, x: Value, w: Value) -> Value:
    """Return the two 16-bit products of each lane, summed to 32 bits (pmaddwd: 255 * 128 * 2 cannot saturate)."""
    name = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}[e.lanes]
    return e.call(name, e.ints, e.builder.bitcast(x, e.shorts), e.builder.bitcast(w, e.shorts))


def dot_shorts(e: Emitter, acc: Value, x: Value, w: Value, dot: str) -> Value:
    """Return acc + the sum of two s16 by s16 products of each lane, modulo 2 ** 32."""
    if dot != "vnni":
        return e.builder.add(acc, multiply_add_pairs(e, x, w))
    name = f"llvm.x86.avx512.vpdpwssd.{32 * e.lanes}"
    return e.call(name, e.ints, acc, e.builder.bitcast(x, e.shorts), e.builder.bitcast(w, e.shorts))
