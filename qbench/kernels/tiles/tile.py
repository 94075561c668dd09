"""The micro-kernel: `mr` lhs rows by `nv` vectors of rhs columns, all accumulators in registers, fused epilogue.

Every tuned x86 kernel of the families `gemm` and `conv` is this one intrinsic with other literals. A row of the lhs is
reached through a table of byte offsets (`lhs_rows`), a k-group inside it through another (`k_offsets`), so a matrix
product and a convolution of any kernel size, stride, padding and dilation are the same loop, without im2col.

The epilogue computes, in float32, each operation rounded once, in this order:

    t = float32(acc + correction[n]) * scale[n]            (grouped: the sum of that over the groups, in order)
    t = t + float32(sum(lhs) + sum_correction) * shift[n]  (only with "sum": weights with a zero point)
    t = t + float32(residual) * residual_scale             (only with "residual")
    t = t + offset[n]
    u8: round half even ("floor": round down), clamp to low..high, store; f32: clamp, store

"s32" stores acc + correction[n]; a float product has t = acc.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value
from qbench.kernels.tiles.products import product_of

ARRAYS = (
    "lhs", "rhs", "out", "residual", "lhs_rows", "out_rows", "residual_rows", "k_offsets",
    "correction", "scale", "offset", "shift", "table",
)  # fmt: skip
SCALARS = ("low", "high", "residual_scale", "sum_correction")
PLACE = ("m", "m_last", "panel", "channel", "channels", "k_groups", "k_groups_a_scale")


@intrinsic(prefer_literal=True)
def tile(
    typingctx: Any,
    arrays: Any,
    scalars: Any,
    place: Any,
    product: Any,
    dot: Any,
    lanes: Any,
    mr: Any,
    nv: Any,
    spread: Any,
    epilogue: Any,
) -> Any:
    """Compute one tile; see the module's docstring. The last seven arguments are literals."""
    literals = (product, dot, lanes, mr, nv, spread, epilogue)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    signature = types.void(arrays, scalars, place, *literals)
    shape = tuple(kind.literal_value for kind in literals)

    def codegen(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        values: dict[str, Value] = {}
        for position, name in enumerate(ARRAYS):
            array = builder.extract_value(arguments[0], position)
            data = context.make_array(sig.args[0].types[position])(context, builder, array).data
            values[name] = builder.bitcast(data, I8.as_pointer())
        for group, names in ((1, SCALARS), (2, PLACE)):
            for position, name in enumerate(names):
                values[name] = builder.extract_value(arguments[group], position)
        _Tile(builder, values, *shape).emit()
        return context.get_dummy_value()

    return signature, codegen


class _Tile:
    """Emits one tile; the values of all arguments are in `v`."""

    def __init__(
        self,
        builder: Any,
        v: dict[str, Value],
        product: str,
        dot: str,
        lanes: int,
        mr: int,
        nv: int,
        spread: int,
        epilogue: str,
    ) -> None:
        self.e, self.b, self.v = Emitter(builder, lanes), builder, v
        self.product, self.mr, self.nv, self.spread = product_of(product, dot), mr, nv, spread
        kind, *flags = epilogue.split("+")
        self.kind, self.flags = kind, frozenset(flags)
        self.vector_bytes = 4 * lanes
        self.cells = [(i, j) for i in range(mr) for j in range(nv // spread)]

    def emit(self) -> None:
        """Emit the loads of the row offsets, the depth loop and the epilogue."""
        e, b, v = self.e, self.b, self.v
        self.m = [self._row_index(i) for i in range(self.mr)]
        self.rows = [b.gep(v["lhs"], [self._row(v["lhs_rows"], i)]) for i in range(self.mr)]
        self.table = e.load(v["table"], ir.Constant(I64, 0), e.bytes) if self.product.planes > 1 else None
        zero = ir.Constant(I64, 0)
        if "grouped" in self.flags:
            floats = [e.constant(0.0, e.floats) for _ in self.cells]
            total = e.loop(zero, v["k_groups"], v["k_groups_a_scale"], floats, self._one_group)
            self._finish(total, sums=None)
            return
        cells, sums = self._depth(zero, v["k_groups"], with_sums="sum" in self.flags)
        if self.kind == "s32":
            for (i, j), value in zip(self.cells, cells, strict=True):
                self._store(self._corrected(value, j), i, j, 4)
            return
        scaled = (
            cells
            if self.product.is_float
            else [self._scaled(x, j) for x, (_, j) in zip(cells, self.cells, strict=True)]
        )
        self._finish(scaled, sums=sums or None)

    def _row_index(self, i: int) -> Value:
        """Return min(m + i, m_last): a tail repeats the last row, which is written twice with the same value."""
        b = self.b
        index = self.e.add_bytes(self.v["m"], i)
        return b.select(b.icmp_signed("<", index, self.v["m_last"]), index, self.v["m_last"])

    def _row(self, table: Value, i: int) -> Value:
        return self.e.load(table, self.b.mul(self.m[i], ir.Constant(I64, 8)), I64, align=8)

    def _depth(self, begin: Value, end: Value, *, with_sums: bool) -> tuple[list[Value], list[Value]]:
        """Return the accumulators and the rows' sums over k-groups begin..end."""
        e, b, product = self.e, self.b, self.product
        blank = e.constant(0.0, e.floats) if product.is_float else e.constant(0, e.ints)
        raw = self.mr * self.nv
        state = [blank] * (raw + (self.mr if with_sums else 0))
        step_bytes = self.vector_bytes * product.rhs_vectors
        ones = product.ones(e) if with_sums else ()

        def body(k: Value, acc: list[Value]) -> list[Value]:
            new = list(acc)
            index = b.sdiv(k, ir.Constant(I64, product.planes)) if product.planes > 1 else k
            at = b.add(self.v["panel"], b.mul(index, ir.Constant(I64, step_bytes * self.nv)))
            packed = [self._packed(e.add_bytes(at, step_bytes * j)) for j in range(self.nv)]
            for plane in range(product.planes):
                weights = [product.rhs(e, (*p, self.table) if self.table is not None else p, plane) for p in packed]
                where = b.mul(e.add_bytes(k, plane), ir.Constant(I64, 8))
                offset = e.load(self.v["k_offsets"], where, I64, align=8)
                for i in range(self.mr):
                    x = product.lhs(e, self.rows[i], offset, self.spread)
                    for j in range(self.nv):
                        cell = i * self.nv + j
                        new[cell] = product.step(e, new[cell], x, weights[j])
                    if with_sums:
                        new[raw + i] = product.step(e, new[raw + i], x, ones)
            return new

        acc = e.loop(begin, end, product.planes, state, body)
        if self.spread == 1:
            return acc[:raw], acc[raw:]
        swap = ir.Constant(ir.VectorType(I32, e.lanes), [lane ^ 1 for lane in range(e.lanes)])
        sums = [b.add(total, b.shuffle_vector(total, total, swap)) for total in acc[raw:]]
        return [e.add_neighbours(acc[cell], acc[cell + 1]) for cell in range(0, raw, 2)], sums

    def _packed(self, at: Value) -> tuple[Value, ...]:
        """Load the packed vectors of one column of the tile."""
        e, size = self.e, self.vector_bytes
        parts = range(self.product.rhs_vectors)
        return tuple(e.load(self.v["rhs"], e.add_bytes(at, size * part), e.ints, align=size) for part in parts)

    def _one_group(self, k: Value, total: list[Value]) -> list[Value]:
        """Add one group's scaled products to the float totals."""
        b, v = self.b, self.v
        end = b.add(k, v["k_groups_a_scale"])
        end = b.select(b.icmp_signed("<", end, v["k_groups"]), end, v["k_groups"])
        acc, _ = self._depth(k, end, with_sums=False)
        group = b.mul(b.sdiv(k, v["k_groups_a_scale"]), v["channels"])
        scaled = [self._scaled(x, j, group) for x, (_, j) in zip(acc, self.cells, strict=True)]
        return [b.fadd(t, s) for t, s in zip(total, scaled, strict=True)]

    def _channel(self, j: int, kind: Any, name: str, group: Value | None = None) -> Value:
        """Load this tile's j-th vector of a per-channel parameter."""
        first = self.v["channel"] if group is None else self.b.add(group, self.v["channel"])
        at = self.b.mul(self.e.add_bytes(first, self.e.lanes * j), ir.Constant(I64, 4))
        return self.e.load(self.v[name], at, kind, align=4)

    def _corrected(self, acc: Value, j: int, group: Value | None = None) -> Value:
        b, e = self.b, self.e
        if self.product.count_weight != 1:
            acc = b.mul(acc, e.constant(self.product.count_weight, e.ints))
        return b.add(acc, self._channel(j, e.ints, "correction", group))

    def _scaled(self, acc: Value, j: int, group: Value | None = None) -> Value:
        t = self.b.sitofp(self._corrected(acc, j, group), self.e.floats)
        return self.b.fmul(t, self._channel(j, self.e.floats, "scale", group))

    def _finish(self, totals: list[Value], *, sums: list[Value] | None) -> None:
        """Emit the epilogue from the scaled products to the stores."""
        e, b, v = self.e, self.b, self.v
        low, high, residual_scale = (e.splat(v[name]) for name in ("low", "high", "residual_scale"))
        for (i, j), t in zip(self.cells, totals, strict=True):
            if sums is not None:
                total = b.sitofp(b.add(sums[i], e.splat(v["sum_correction"])), e.floats)
                t = b.fadd(t, b.fmul(total, self._channel(j, e.floats, "shift")))
            if "residual" in self.flags:
                t = b.fadd(t, b.fmul(self._residual(i, j), residual_scale))
            t = b.fadd(t, self._channel(j, e.floats, "offset"))
            if self.kind == "u8":
                t = e.overloaded("llvm.floor" if "floor" in self.flags else "llvm.rint", t)
            t = e.overloaded("llvm.minnum", e.overloaded("llvm.maxnum", t, low), high)
            if self.kind == "u8":
                self._store(b.trunc(b.fptosi(t, e.ints), e.narrow), i, j, 1)
            else:
                self._store(t, i, j, 4)

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
