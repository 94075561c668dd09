"""What every strip is made of: rows of codes, bytes interleaved within 128-bit lanes, channels' numbers, rounding."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from qbench.kernels.depthwise.fields import VECTORS
from qbench.kernels.tiles.emitter import I32, I64, Emitter, Value
from qbench.kernels.tiles.fixed import fixed_point


class Strip:
    """Emits parts of one strip; the values of all arguments are in `v`."""

    def __init__(
        self, builder: Any, v: dict[str, Value], shape: tuple[int, ...], taken: int, rounding: str, *, lanes: int
    ) -> None:
        self.e, self.b, self.v = Emitter(builder, lanes), builder, v
        self.pixels, self.kh, self.kw, self.step, self.dilation = shape
        self.taken, self.rounding = taken, rounding
        self.full = VECTORS * lanes
        v["first"] = builder.mul(v["block"], ir.Constant(I64, 4 * self.full))
        v["rhs_at"] = builder.mul(v["block"], v["block_bytes"])

    def emit(self) -> None:
        """Emit the strip."""
        raise NotImplementedError

    def widened(self, codes: Value) -> Value:
        """Return `taken` bytes with zeros behind them, a whole vector."""
        if self.taken == self.full:
            return codes
        order = [*range(self.taken), *[self.taken] * (self.full - self.taken)]
        zeros, mask = ir.Constant(codes.type, [0] * self.taken), ir.Constant(ir.VectorType(I32, self.full), order)
        return self.b.shuffle_vector(codes, zeros, mask)

    def unpack(self, low: Value, high_bytes: Value, width: int, *, high: bool) -> Value:
        """Interleave items of `width` bytes of the lower or upper halves of every 128-bit lane."""
        half, order = 16 // width // 2, []
        count = self.full // width
        for lane in range(self.full // 16):
            start = lane * 2 * half + (half if high else 0)
            for i in range(half):
                order += [start + i, count + start + i]
        kind = ir.VectorType(ir.IntType(8 * width), count)
        mask = ir.Constant(ir.VectorType(I32, count), order)
        a, c = (self.b.bitcast(value, kind) for value in (low, high_bytes))
        return self.b.bitcast(self.b.shuffle_vector(a, c, mask), self.e.bytes)

    def weights(self, number: int, j: int) -> Value:
        """Load vector j of the `number`-th weights of the block."""
        offset = (number * VECTORS + j) * self.full
        return self.e.load(self.v["rhs"], self.e.add_bytes(self.v["rhs_at"], offset), self.e.ints, align=self.full)

    def channel(self, name: str, j: int, kind: Any) -> Value:
        """Load a number of every channel of vector j."""
        return self.e.load(self.v[name], self.e.add_bytes(self.v["first"], self.full * j), kind, align=4)

    def rounded(self, total: Value, j: int) -> Value:
        """Return the sums of vector j scaled and rounded, as int32."""
        e = self.e
        if self.rounding == "fixed":
            numbers = (self.channel(name, j, e.ints) for name in ("scale", "shift", "offset"))
            return fixed_point(e, total, *numbers)
        scale, offset = (self.channel(name, j, e.floats) for name in ("scale", "offset"))
        t = e.fma(self.b.sitofp(total, e.floats), scale, offset)
        return e.rounded(e.overloaded("llvm.floor", t) if self.rounding == "floor" else t)

    def taken_of(self, codes: Value) -> Value:
        """Return the `taken` first bytes of a vector."""
        if self.taken == self.full:
            return codes
        order = ir.Constant(ir.VectorType(I32, self.taken), list(range(self.taken)))
        return self.b.shuffle_vector(codes, codes, order)
