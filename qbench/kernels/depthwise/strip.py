"""The micro-kernel: a strip of output pixels of one row, up to 64 channels, all sums in registers, fused epilogue.

A dot instruction sums four bytes of a lane: four rows of a window, of one channel. The rows of a column are interleaved
once (unpacking works within 128-bit lanes, and so does the packing of the results: channels come out in their order)
and serve every window of the strip that sees the column. With fewer rows than four the rest is zeros.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.depthwise.fields import FIELDS, FLOATS, FULL, POINTERS, VECTORS
from qbench.kernels.tiles.arguments import load_fields
from qbench.kernels.tiles.dots import dot_bytes
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value
from qbench.kernels.tiles.fixed import fixed_point


@intrinsic(prefer_literal=True)
def strip(typingctx: Any, arguments: Any, place: Any, geometry: Any, taken: Any, rounding: Any) -> Any:
    """Compute one strip at place (lhs offset, out offset, block of channels); the last three are literals.

    `geometry` is `pixels x kh x kw x step x dilation` (along the row); `taken` the channels: 64, 32 or 16;
    `rounding` is `nearest`, `floor`, or `fixed`, in whole numbers (`qbench.kernels.tiles.fixed`).
    """
    literals = (geometry, taken, rounding)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    shape = tuple(int(number) for number in geometry.literal_value.split("x"))

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        found = load_fields(builder, values[0], FIELDS, pointers=POINTERS, floats=FLOATS)
        for index, name in enumerate(("lhs_at", "out_at", "block")):
            found[name] = builder.extract_value(values[1], index)
        _Strip(builder, found, shape, taken.literal_value, rounding.literal_value).emit()
        return context.get_dummy_value()

    return types.void(arguments, place, *literals), codegen


class _Strip:
    """Emits one strip; the values of all arguments are in `v`."""

    def __init__(self, builder: Any, v: dict[str, Value], shape: tuple[int, ...], taken: int, rounding: str) -> None:
        self.e, self.b, self.v = Emitter(builder, 16), builder, v
        self.pixels, self.kh, self.kw, self.step, self.dilation = shape
        self.taken, self.rounding = taken, rounding
        self.groups = -(-self.kh // 4)
        v["first"] = builder.mul(v["block"], ir.Constant(I64, 4 * FULL))
        v["rhs_at"] = builder.mul(v["block"], v["block_bytes"])

    def emit(self) -> None:
        """Go over the columns; finish an output pixel with the last column that it sees."""
        windows = [[p * self.step + k * self.dilation for k in range(self.kw)] for p in range(self.pixels)]
        sums: dict[int, list[Value]] = {}
        for column in sorted({c for seen in windows for c in seen}):
            rows = [self._interleaved(column, group) for group in range(self.groups)]
            for pixel, seen in enumerate(windows):
                if column not in seen:
                    continue
                acc = sums.setdefault(pixel, [self._channel("correction", j, self.e.ints) for j in range(VECTORS)])
                for group, vectors in enumerate(rows):
                    for j in range(VECTORS):
                        weights = self._weights(seen.index(column), group, j)
                        acc[j] = dot_bytes(self.e, acc[j], vectors[j], weights)
                if column == seen[-1]:
                    self._finish(pixel, sums.pop(pixel))

    def _interleaved(self, column: int, group: int) -> list[Value]:
        """Return four vectors of 16 channels each, four rows of the column in every lane."""
        rows = [self._row(column, 4 * group + i) for i in range(4)]
        pairs = [self._unpack(rows[i], rows[i + 1], 1, high=high) for high in (False, True) for i in (0, 2)]
        return [self._unpack(pairs[i], pairs[i + 1], 2, high=high) for i in (0, 2) for high in (False, True)]

    def _row(self, column: int, row: int) -> Value:
        """Load up to 64 channels of one pixel, zeros behind them; zeros for a row beyond the window."""
        e, b, v = self.e, self.b, self.v
        if row >= self.kh:
            return e.constant(0, e.bytes)
        at = b.add(v["lhs_at"], b.mul(v["lhs_pixel"], ir.Constant(I64, column)))
        at = b.add(at, b.mul(v["lhs_tap_row"], ir.Constant(I64, row)))
        part = ir.VectorType(I8, self.taken)
        codes = e.load(v["lhs"], at, part)
        if self.taken == FULL:
            return codes
        order = [*range(self.taken), *[self.taken] * (FULL - self.taken)]
        zeros, mask = ir.Constant(part, [0] * self.taken), ir.Constant(ir.VectorType(I32, FULL), order)
        return b.shuffle_vector(codes, zeros, mask)

    def _unpack(self, low: Value, high_bytes: Value, width: int, *, high: bool) -> Value:
        """Interleave items of `width` bytes of the lower or upper halves of every 128-bit lane."""
        half, order = 16 // width // 2, []
        count = FULL // width
        for lane in range(4):
            start = lane * 2 * half + (half if high else 0)
            for i in range(half):
                order += [start + i, count + start + i]
        kind = ir.VectorType(ir.IntType(8 * width), count)
        mask = ir.Constant(ir.VectorType(I32, count), order)
        a, c = (self.b.bitcast(value, kind) for value in (low, high_bytes))
        return self.b.bitcast(self.b.shuffle_vector(a, c, mask), self.e.bytes)

    def _weights(self, tap: int, group: int, j: int) -> Value:
        """Load the weights of one column of the window: 16 channels, four rows each."""
        offset = ((tap * self.groups + group) * VECTORS + j) * FULL
        return self.e.load(self.v["rhs"], self.e.add_bytes(self.v["rhs_at"], offset), self.e.ints, align=FULL)

    def _channel(self, name: str, j: int, kind: Any) -> Value:
        return self.e.load(self.v[name], self.e.add_bytes(self.v["first"], FULL * j), kind, align=4)

    def _finish(self, pixel: int, acc: list[Value]) -> None:
        """Scale, round, saturate, clamp and store one pixel."""
        e, b, v = self.e, self.b, self.v
        rounded = []
        for j, total in enumerate(acc):
            if self.rounding == "fixed":
                numbers = (self._channel(name, j, e.ints) for name in ("scale", "shift", "offset"))
                rounded.append(fixed_point(e, total, *numbers))
                continue
            scale, offset = (self._channel(name, j, e.floats) for name in ("scale", "offset"))
            t = e.fma(b.sitofp(total, e.floats), scale, offset)
            rounded.append(e.rounded(e.overloaded("llvm.floor", t) if self.rounding == "floor" else t))
        codes = e.saturated_bytes(rounded)
        low, high = (e.splat_byte(b.fptoui(v[name], I8)) for name in FLOATS)
        codes = e.overloaded("llvm.umin", e.overloaded("llvm.umax", codes, low), high)
        if self.taken < FULL:
            order = ir.Constant(ir.VectorType(I32, self.taken), list(range(self.taken)))
            codes = b.shuffle_vector(codes, codes, order)
        e.store(codes, v["out"], b.add(v["out_at"], b.mul(v["out_pixel"], ir.Constant(I64, pixel))))
