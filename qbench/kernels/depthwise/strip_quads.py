"""Strips of a dot instruction of four bytes: four rows of a window, of one channel, in every lane.

The rows of a column are interleaved once (unpacking works within 128-bit lanes, and so does the packing of the results:
channels come out in their order) and serve every window of the strip that sees the column. With fewer rows than four
the rest is zeros.
"""

from __future__ import annotations

from llvmlite import ir

from qbench.kernels.depthwise.fields import FLOATS, VECTORS
from qbench.kernels.depthwise.strip_parts import Strip
from qbench.kernels.tiles.dots import dot_bytes
from qbench.kernels.tiles.emitter import I8, I64, Value


class QuadStrip(Strip):
    """Emits one strip, all vectors of a block at once."""

    def emit(self) -> None:
        """Go over the columns; finish an output pixel with the last column that it sees."""
        windows = [[p * self.step + k * self.dilation for k in range(self.kw)] for p in range(self.pixels)]
        groups = -(-self.kh // 4)
        sums: dict[int, list[Value]] = {}
        for column in sorted({c for seen in windows for c in seen}):
            rows = [self._interleaved(column, group) for group in range(groups)]
            for pixel, seen in enumerate(windows):
                if column not in seen:
                    continue
                acc = sums.setdefault(pixel, [self.channel("correction", j, self.e.ints) for j in range(VECTORS)])
                for group, vectors in enumerate(rows):
                    for j in range(VECTORS):
                        weights = self.weights(seen.index(column) * groups + group, j)
                        acc[j] = dot_bytes(self.e, acc[j], vectors[j], weights)
                if column == seen[-1]:
                    self._finish(pixel, sums.pop(pixel))

    def _interleaved(self, column: int, group: int) -> list[Value]:
        """Return four vectors of a quarter of the channels each, four rows of the column in every lane."""
        zeros = self.e.constant(0, self.e.bytes)
        rows = [self._row(column, row) if row < self.kh else zeros for row in range(4 * group, 4 * group + 4)]
        pairs = [self.unpack(rows[i], rows[i + 1], 1, high=high) for high in (False, True) for i in (0, 2)]
        return [self.unpack(pairs[i], pairs[i + 1], 2, high=high) for i in (0, 2) for high in (False, True)]

    def _row(self, column: int, row: int) -> Value:
        """Load the channels of one pixel, zeros behind them."""
        at = self.b.add(self.v["lhs_at"], self.b.mul(self.v["lhs_pixel"], ir.Constant(I64, column)))
        at = self.b.add(at, self.b.mul(self.v["lhs_tap_row"], ir.Constant(I64, row)))
        return self.widened(self.e.load(self.v["lhs"], at, ir.VectorType(I8, self.taken)))

    def _finish(self, pixel: int, acc: list[Value]) -> None:
        """Scale, round, saturate, clamp and store one pixel."""
        rounded = [self.rounded(total, j) for j, total in enumerate(acc)]
        codes = self.taken_of(self._clamped(self.e.saturated_bytes(rounded)))
        at = self.b.add(self.v["out_at"], self.b.mul(self.v["out_pixel"], ir.Constant(I64, pixel)))
        self.e.store(codes, self.v["out"], at)

    def _clamped(self, codes: Value) -> Value:
        """Return codes within the limits."""
        low, high = (self.e.splat_byte(self.b.fptoui(self.v[name], I8)) for name in FLOATS)
        return self.e.overloaded("llvm.umin", self.e.overloaded("llvm.umax", codes, low), high)
