"""What a tile does with its sums once they are scaled: residual, rounding, clamps, packing and stores; see `tile`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from qbench.kernels.tiles.emitter import I8, I32, I64, NARROW, Emitter, Value
from qbench.kernels.tiles.fixed import fixed_point
from qbench.kernels.tiles.products import product_of

PACKED = 4
"""Vectors of 32-bit results that fill one of bytes."""


class Epilogue:
    """Emits the end of one tile; the values of all arguments are in `v`."""

    first_row: Value

    def __init__(
        self, builder: Any, v: dict[str, Value], product: str, dot: str, lanes: int, shape: str, epilogue: str
    ) -> None:
        self.e, self.b, self.v = Emitter(builder, lanes), builder, v
        self.mr, self.nv, self.spread, self.chains = (int(number) for number in shape.split("x"))
        kind, *flags = epilogue.split("+")
        self.kind, self.flags = kind, frozenset(flags)
        self.product = product_of(product, "widen" if "widened" in self.flags else dot)
        self.vector_bytes = 4 * lanes
        self.cells = [(i, j) for i in range(self.mr) for j in range(self.nv // self.spread)]
        self.width = lanes * self.nv // self.spread

    def _finish(self, totals: list[Value], *, sums: list[Value] | None) -> None:
        """Emit the epilogue from the scaled products to the stores."""
        e, b, v = self.e, self.b, self.v
        low, high, residual_scale = (e.splat(v[name]) for name in ("low", "high", "residual_scale"))
        packs = self.kind == "u8" and e.lanes > NARROW and "wide" not in self.flags
        waiting: list[tuple[int, int, Value]] = []
        for (i, j), t in zip(self.cells, totals, strict=True):
            if sums is not None:
                total = b.sitofp(b.add(sums[i], e.splat(v["sum_correction"])), e.floats)
                t = e.fma(total, self._channel(j, e.floats, "shift"), t)
            if "residual" in self.flags:
                t = e.fma(self._residual(i, j), residual_scale, t)
            t = e.overloaded("llvm.floor", t) if "floor" in self.flags else t
            if packs:
                waiting.append((i, j, e.rounded(t)))
                if len(waiting) == PACKED or (i, j) == self.cells[-1]:
                    self._store_packed(waiting)
                    waiting = []
            elif self.kind == "f32":
                self._store(e.clamped(t, low, high), i, j, 4)
            else:
                self._store(b.trunc(e.rounded(e.clamped(t, low, high)), e.narrow), i, j, 1)

    def _finish_fixed(self, accs: list[Value]) -> None:
        """Emit the epilogue in whole numbers."""
        e, b, v = self.e, self.b, self.v
        low, high = (e.splat(b.fptosi(v[name], I32)) for name in ("low", "high"))
        for first in range(0, len(accs), PACKED):
            group: list[tuple[int, int, Value]] = []
            for (i, j), acc in list(zip(self.cells, accs, strict=True))[first : first + PACKED]:
                numbers = (self._channel(j, e.ints, name) for name in ("scale", "shift", "offset"))
                group.append((i, j, fixed_point(e, acc, *numbers)))
            if e.lanes > NARROW:
                self._store_packed(group)
                continue
            for i, j, t in group:
                t = e.overloaded("llvm.smin", e.overloaded("llvm.smax", t, low), high)
                self._store(b.trunc(t, e.narrow), i, j, 1)

    def _store_packed(self, cells: list[tuple[int, int, Value]]) -> None:
        """Saturate up to four vectors to bytes, clamp them, and store each row's neighbouring vectors at once."""
        e, b = self.e, self.b
        four = [value for _, _, value in cells] + [cells[-1][2]] * (PACKED - len(cells))
        packed = e.packed_bytes(four)
        low, high = (e.splat_byte(b.fptoui(self.v[name], I8)) for name in ("low", "high"))
        packed = e.overloaded("llvm.umin", e.overloaded("llvm.umax", packed, low), high)
        joined = 2 if self.nv // self.spread == 2 else 1
        for first in range(0, len(cells), joined):
            i, j, _ = cells[first]
            take = list(range(first * e.lanes, (first + joined) * e.lanes))
            self._store(b.shuffle_vector(packed, packed, ir.Constant(ir.VectorType(I32, len(take)), take)), i, j, 1)

    def _place(self, name: str, i: int, j: int, width: int) -> Value:
        first = self.b.mul(self.e.add_bytes(self.v["channel"], self.e.lanes * j), ir.Constant(I64, width))
        return self.b.add(self._row(self.v[name], i), first)

    def _residual(self, i: int, j: int) -> Value:
        e = self.e
        if self.product.is_float:
            return e.load(self.v["residual"], self._place("residual_rows", i, j, 4), e.floats)
        codes = e.load(self.v["residual"], self._place("residual_rows", i, j, 1), e.narrow)
        return self.b.sitofp(self.b.zext(codes, e.ints), e.floats)

    def _store(self, value: Value, i: int, j: int, width: int) -> None:
        self.e.store(value, self.v["out"], self._place("out_rows", i, j, width))

    def _row(self, table: Value, i: int) -> Value:
        """Return the byte offset of this tile's i-th row."""
        return self.e.load(table, self.e.add_bytes(self.first_row, 8 * i), I64, align=8)

    def _channel(self, j: int, kind: Any, name: str, group: Value | None = None) -> Value:
        """Load this tile's j-th vector of a per-channel parameter, or of a group's at byte `group`."""
        first = self.b.mul(self.v["channel"], ir.Constant(I64, 4)) if group is None else group
        return self.e.load(self.v[name], self.e.add_bytes(first, self.vector_bytes * j), kind, align=4)
