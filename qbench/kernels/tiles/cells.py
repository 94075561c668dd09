"""Where the results of one tile lie: its rows and vectors of channels, and what is loaded and stored for them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from qbench.kernels.tiles.emitter import I64, Emitter, Value
from qbench.kernels.tiles.targets import TileShape


class Cells:
    """The cells of a tile, vectors of channels of its rows; the values of all arguments are in `v`.

    `first_row` is where the tile's first row stands in tables of rows; whoever emits the tile sets it.
    """

    first_row: Value

    def __init__(self, builder: Any, v: dict[str, Value], lanes: int, shape: TileShape) -> None:
        self.e, self.b, self.v, self.shape = Emitter(builder, lanes), builder, v, shape
        self.columns = shape.vectors // shape.spread
        self.vector_bytes = 4 * lanes
        self.width = shape.width(lanes)
        self.places = [(i, j) for i in range(shape.rows) for j in range(self.columns)]

    def row(self, table: Value, i: int) -> Value:
        """Return the byte offset of the i-th row by a table."""
        return self.e.load(table, self.e.add_bytes(self.first_row, 8 * i), I64, align=8)

    def channel(self, j: int, kind: Any, name: str, group: Value | None = None) -> Value:
        """Load the j-th vector of a per-channel parameter, or of a group's at byte `group`."""
        first = self.b.mul(self.v["channel"], ir.Constant(I64, 4)) if group is None else group
        return self.e.load(self.v[name], self.e.add_bytes(first, self.vector_bytes * j), kind, align=4)

    def residual(self, i: int, j: int, *, is_float: bool) -> Value:
        """Load a cell of the residual as floats."""
        e = self.e
        if is_float:
            return e.load(self.v["residual"], self._place("residual_rows", i, j, 4), e.floats)
        codes = e.load(self.v["residual"], self._place("residual_rows", i, j, 1), e.narrow)
        return self.b.sitofp(self.b.zext(codes, e.ints), e.floats)

    def store(self, value: Value, i: int, j: int, width: int) -> None:
        """Store a cell's results, `width` bytes each."""
        self.e.store(value, self.v["out"], self._place("out_rows", i, j, width))

    def _place(self, name: str, i: int, j: int, width: int) -> Value:
        first = self.b.mul(self.e.add_bytes(self.v["channel"], self.e.lanes * j), ir.Constant(I64, width))
        return self.b.add(self.row(self.v[name], i), first)
