"""What becomes of a tile's sums, wherever they come from: residual, rounding, clamps, packing, stores; see `tile`."""

from __future__ import annotations

from collections.abc import Iterable

from llvmlite import ir

from qbench.kernels.epilogue import Epilogue
from qbench.kernels.tiles.cells import Cells
from qbench.kernels.tiles.emitter import I8, I32, NARROW, Value
from qbench.kernels.tiles.fixed import fixed_point

PACKED = 4
"""Vectors of 32-bit results that fill one of bytes."""


class Finish:
    """Emits the end of one tile, given a vector for each of its cells."""

    def __init__(self, cells: Cells, epilogue: Epilogue, *, is_float: bool) -> None:
        self.e, self.b, self.v = cells.e, cells.b, cells.v
        self.cells, self.epilogue, self._is_float = cells, epilogue, is_float

    def sums(self, accs: Iterable[Value]) -> None:
        """Store corrected sums as they are."""
        for (i, j), value in zip(self.cells.places, accs, strict=True):
            self.cells.store(value, i, j, 4)

    def scaled(self, totals: list[Value], *, sums: list[Value] | None = None) -> None:
        """Emit the epilogue from the scaled products to the stores; `sums` are the rows' sums."""
        e, b, v, cells, words = self.e, self.b, self.v, self.cells, self.epilogue.words
        low, high, residual_scale = (e.splat(v[name]) for name in ("low", "high", "residual_scale"))
        packs = self.epilogue.kind == "u8" and e.lanes > NARROW and not self.epilogue.wide
        waiting: list[tuple[int, int, Value]] = []
        for (i, j), t in zip(cells.places, totals, strict=True):
            if sums is not None:
                total = b.sitofp(b.add(sums[i], e.splat(v["sum_correction"])), e.floats)
                t = e.fma(total, cells.channel(j, e.floats, "shift"), t)
            if words.residual:
                t = e.fma(cells.residual(i, j, is_float=self._is_float), residual_scale, t)
            t = e.overloaded("llvm.floor", t) if words.floor else t
            if packs:
                waiting.append((i, j, e.rounded(t)))
                if len(waiting) == PACKED or (i, j) == cells.places[-1]:
                    self._store_packed(waiting)
                    waiting = []
            elif self.epilogue.kind == "f32":
                cells.store(e.clamped(t, low, high), i, j, 4)
            else:
                cells.store(b.trunc(e.rounded(e.clamped(t, low, high)), e.narrow), i, j, 1)

    def fixed(self, accs: list[Value]) -> None:
        """Emit the epilogue in whole numbers."""
        e, b, v, cells = self.e, self.b, self.v, self.cells
        low, high = (e.splat(b.fptosi(v[name], I32)) for name in ("low", "high"))
        for first in range(0, len(accs), PACKED):
            group: list[tuple[int, int, Value]] = []
            for (i, j), acc in list(zip(cells.places, accs, strict=True))[first : first + PACKED]:
                numbers = (cells.channel(j, e.ints, name) for name in ("scale", "shift", "offset"))
                group.append((i, j, fixed_point(e, acc, *numbers)))
            if e.lanes > NARROW:
                self._store_packed(group)
                continue
            for i, j, t in group:
                t = e.overloaded("llvm.smin", e.overloaded("llvm.smax", t, low), high)
                cells.store(b.trunc(t, e.narrow), i, j, 1)

    def _store_packed(self, taken: list[tuple[int, int, Value]]) -> None:
        """Saturate up to four vectors to bytes, clamp them, and store each row's neighbouring vectors at once."""
        e, b = self.e, self.b
        four = [value for _, _, value in taken] + [taken[-1][2]] * (PACKED - len(taken))
        packed = e.packed_bytes(four)
        low, high = (e.splat_byte(b.fptoui(self.v[name], I8)) for name in ("low", "high"))
        packed = e.overloaded("llvm.umin", e.overloaded("llvm.umax", packed, low), high)
        joined = 2 if self.cells.columns == 2 else 1
        for first in range(0, len(taken), joined):
            i, j, _ = taken[first]
            lanes = list(range(first * e.lanes, (first + joined) * e.lanes))
            kind = ir.VectorType(I32, len(lanes))
            self.cells.store(b.shuffle_vector(packed, packed, ir.Constant(kind, lanes)), i, j, 1)
