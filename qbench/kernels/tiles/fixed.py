"""The epilogue `+fixed`: TFLite's requantization by an int32 multiplier and a shift, in vectors.

The law is `qbench.kernels.conv.fixed_point`: t = (acc << left) * multiplier rounded half up at bit 31, then shifted
right and rounded half away from zero, then the zero point is added.
"""

from __future__ import annotations

from llvmlite import ir

from qbench.kernels.tiles.emitter import I64, Emitter, Value


def fixed_point(e: Emitter, acc: Value, multiplier: Value, exponent: Value, zero_point: Value) -> Value:
    """Return the requantized vector, before it is saturated; all are int32 per lane."""
    b, zero = e.builder, e.constant(0, e.ints)
    left = e.overloaded("llvm.smax", exponent, zero)
    right = e.overloaded("llvm.smax", b.neg(exponent), zero)
    t = _doubled_high(e, b.shl(acc, left), multiplier)
    one = e.constant(1, e.ints)
    mask = b.sub(b.shl(one, right), one)
    half = b.sub(b.lshr(mask, one), b.ashr(t, e.constant(31, e.ints)))
    up = b.icmp_signed(">", b.and_(t, mask), half)
    return b.add(b.add(b.ashr(t, right), zero_point), b.zext(up, e.ints))


def _doubled_high(e: Emitter, a: Value, c: Value) -> Value:
    """Return (a * c + 2 ** 30) >> 31 of every lane: 64-bit products of the even and of the odd lanes."""
    if e.lanes == 4:
        return e.call("llvm.aarch64.neon.sqrdmulh.v4i32", e.ints, a, c)
    b, wide = e.builder, ir.VectorType(I64, e.lanes // 2)
    low, nudge, down = (e.constant(number, wide) for number in (32, 1 << 30, 31))
    halves = []
    for odd in (False, True):
        factors = []
        for value in (a, c):
            value = b.bitcast(value, wide)
            factors.append(b.ashr(value if odd else b.shl(value, low), low))
        halves.append(b.bitcast(b.ashr(b.add(b.mul(*factors), nudge), down), e.ints))
    order = [lane // 2 * 2 + (e.lanes if lane % 2 else 0) for lane in range(e.lanes)]
    return b.shuffle_vector(*halves, ir.Constant(ir.VectorType(ir.IntType(32), e.lanes), order))
