"""The micro-kernel: `mr` lhs rows by `nv` vectors of rhs columns, all accumulators in registers, fused epilogue.

Every tuned x86 kernel of the families `gemm` and `conv` is this one intrinsic with other literals. A row of the lhs is
reached through a table of byte offsets (`lhs_rows`), a k-group inside it through another (`k_offsets`), so a matrix
product and a convolution of any kernel size, stride, padding and dilation are the same loop, without im2col.

The epilogue computes in float32; every `fma` rounds once, after the product and the sum:

    t = offset[n]
    t = fma(float32(acc + correction[n]), scale[n], t)            (grouped: for each group, in order)
    t = fma(float32(sum(lhs) + sum_correction), shift[n], t)      (only with "sum": weights with a zero point)
    t = fma(float32(residual), residual_scale, t)                 (only with "residual")
    u8: round half even ("floor": round down), clamp to low..high (whole numbers), store; f32: clamp, store

"s32" stores acc + correction[n]; f32_f32 has t = acc + offset[n]. The accumulators start at the correction where they
can. "wide" says that t may leave int32, so that it is clamped before it is rounded: the same, an instruction slower.
"fixed" computes u8 in whole numbers as TFLite does (`fixed`): `scale` holds multipliers, `shift` exponents and `offset`
the zero point, all int32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.tiles.arguments import load_fields
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value
from qbench.kernels.tiles.fields import FIELDS, FLOATS, POINTERS
from qbench.kernels.tiles.fixed import fixed_point
from qbench.kernels.tiles.prefetch import bytes_ahead
from qbench.kernels.tiles.products import product_of

PACKED = 4
"""Vectors of 32-bit results that fill one of bytes."""


@intrinsic(prefer_literal=True)
def tile(
    typingctx: Any,
    arguments: Any,
    place: Any,
    product: Any,
    dot: Any,
    lanes: Any,
    shape: Any,
    epilogue: Any,
) -> Any:
    """Compute one tile at place (m, panel); see the module's docstring. The last five are literals.

    `shape` is `rows x vectors x spread x chains`, e.g. `12x2x1x1`.
    """
    literals = (product, dot, lanes, shape, epilogue)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None
    signature = types.void(arguments, place, *literals)
    names = tuple(kind.literal_value for kind in literals)

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        emit_tile(builder, values[0], values[1], *names)
        return context.get_dummy_value()

    return signature, codegen


def emit_tile(
    builder: Any, arguments: Value, place: Value, product: str, dot: str, lanes: int, shape: str, epilogue: str
) -> None:
    """Emit what `tile` does; `arguments` points to 64-bit words, `place` is a pair of them."""
    v = load_fields(builder, arguments, FIELDS, pointers=POINTERS, floats=FLOATS)
    v["sum_correction"] = builder.trunc(v["sum_correction"], I32)
    v["m"], v["panel"] = (builder.extract_value(place, index) for index in (0, 1))
    _Tile(builder, v, product, dot, lanes, shape, epilogue).emit()


class _Tile:
    """Emits one tile; the values of all arguments are in `v`."""

    def __init__(
        self, builder: Any, v: dict[str, Value], product: str, dot: str, lanes: int, shape: str, epilogue: str
    ) -> None:
        self.e, self.b, self.v = Emitter(builder, lanes), builder, v
        self.mr, self.nv, self.spread, self.chains = (int(number) for number in shape.split("x"))
        self.product = product_of(product, dot)
        kind, *flags = epilogue.split("+")
        self.kind, self.flags = kind, frozenset(flags)
        self.vector_bytes = 4 * lanes
        self.cells = [(i, j) for i in range(self.mr) for j in range(self.nv // self.spread)]
        width = lanes * self.nv // self.spread
        v["panel_start"] = builder.mul(v["panel"], v["panel_bytes"])
        v["channel"] = builder.mul(v["panel"], ir.Constant(I64, width))

    def emit(self) -> None:
        """Emit the loads of the row offsets, the depth loop and the epilogue."""
        e, b, v = self.e, self.b, self.v
        self.first_row = b.mul(v["m"], ir.Constant(I64, 8))
        self.rows = [b.gep(v["lhs"], [self._row(v["lhs_rows"], i)]) for i in range(self.mr)]
        self.table = e.load(v["table"], ir.Constant(I64, 0), e.bytes) if self.product.has_table else None
        zero = ir.Constant(I64, 0)
        if "grouped" in self.flags:
            offsets = [self._offset(j) for _, j in self.cells]
            total = e.loop(zero, v["k_groups"], v["k_groups_a_scale"], offsets, self._one_group)
            self._finish(total, sums=None)
            return
        cells, sums = self._depth(zero, v["k_groups"])
        if self.kind == "s32":
            for (i, j), value in zip(self.cells, cells, strict=True):
                self._store(self._undo_multiple(value), i, j, 4)
            return
        if "fixed" in self.flags:
            self._finish_fixed([self._undo_multiple(value) for value in cells])
            return
        scaled = [self._scaled(x, j, self._offset(j)) for x, (_, j) in zip(cells, self.cells, strict=True)]
        self._finish(scaled, sums=sums or None)

    def _undo_multiple(self, acc: Value) -> Value:
        shift = self.product.multiple.bit_length() - 1
        return self.b.ashr(acc, self.e.constant(shift, self.e.ints)) if shift else acc

    def _row(self, table: Value, i: int) -> Value:
        """Return the byte offset of this tile's i-th row."""
        return self.e.load(table, self.e.add_bytes(self.first_row, 8 * i), I64, align=8)

    def _depth(self, begin: Value, end: Value, group: Value | None = None) -> tuple[list[Value], list[Value]]:
        """Return the accumulators, correction included, and the rows' sums over k-groups begin..end."""
        e, product = self.e, self.product
        blank = e.constant(0.0, e.floats) if product.is_float else e.constant(0, e.ints)
        raw = self.mr * self.nv
        first = [blank] * raw if self._corrects_late else [self._correction(c % self.nv, group) for c in range(raw)]
        state = first + [blank] * (raw * (self.chains - 1))
        state += [blank] * (self.mr if "sum" in self.flags else 0)
        acc = e.loop(begin, end, product.planes * self.chains, state, self._k_groups)
        totals, sums = acc[:raw], acc[raw * self.chains :]
        add = self.b.fadd if product.is_float else self.b.add
        for chain in range(1, self.chains):
            totals = [add(t, acc[raw * chain + cell]) for cell, t in enumerate(totals)]
        if self.spread == 2:
            swap = ir.Constant(ir.VectorType(I32, e.lanes), [lane ^ 1 for lane in range(e.lanes)])
            sums = [self.b.add(total, self.b.shuffle_vector(total, total, swap)) for total in sums]
            totals = [e.add_neighbours(totals[cell], totals[cell + 1]) for cell in range(0, raw, 2)]
        if self._corrects_late and not product.is_float:
            totals = [self._corrected(x, j, group) for x, (_, j) in zip(totals, self.cells, strict=True)]
        return totals, sums

    @property
    def _corrects_late(self) -> bool:
        """Whether the correction cannot be where the accumulators start."""
        return self.product.is_float or self.product.count_weight != 1 or self.spread == 2

    def _k_groups(self, k: Value, acc: list[Value]) -> list[Value]:
        """Add the products of one packed set of k-groups, of one for each chain, to the accumulators."""
        e, b, product = self.e, self.b, self.product
        new, raw, planes = list(acc), self.mr * self.nv, product.planes
        set_bytes, ahead = self.vector_bytes * product.vectors, bytes_ahead(self.mr, grouped="grouped" in self.flags)
        index = b.sdiv(k, ir.Constant(I64, planes)) if planes > 1 else k
        at = b.add(self.v["panel_start"], b.mul(index, ir.Constant(I64, set_bytes * self.nv)))
        for chain in range(self.chains):
            here = e.add_bytes(at, set_bytes * self.nv * chain)
            packed = [self._packed(e.add_bytes(here, set_bytes * j)) for j in range(self.nv)]
            for line in range(0, set_bytes * self.nv, 64):
                e.prefetch(self.v["rhs"], e.add_bytes(here, ahead + line))
            for plane in range(planes):
                weights = [product.rhs(e, p, plane, self.table) for p in packed]
                offset = self._k_offset(k, plane + planes * chain)
                for i in range(self.mr):
                    x = product.lhs(e, self.rows[i], offset, self.spread)
                    for j in range(self.nv):
                        cell = raw * chain + i * self.nv + j
                        new[cell] = product.step(e, new[cell], x, weights[j])
                    if "sum" in self.flags:
                        total = raw * self.chains + i
                        new[total] = product.step(e, new[total], x, product.ones(e))  # type: ignore[attr-defined]
        return new

    def _k_offset(self, k: Value, ahead: int) -> Value:
        """Return where a k-group lies in a row."""
        where = self.b.mul(self.e.add_bytes(k, ahead), ir.Constant(I64, 8))
        return self.e.load(self.v["k_offsets"], where, I64, align=8)

    def _packed(self, at: Value) -> tuple[Value, ...]:
        """Load the packed vectors of one column of the tile."""
        e, size = self.e, self.vector_bytes
        parts = range(self.product.vectors)
        return tuple(e.load(self.v["rhs"], e.add_bytes(at, size * part), e.ints, align=size) for part in parts)

    def _one_group(self, k: Value, total: list[Value]) -> list[Value]:
        """Add one group's scaled products to the float totals."""
        b, v = self.b, self.v
        end = b.add(k, v["k_groups_a_scale"])
        end = b.select(b.icmp_signed("<", end, v["k_groups"]), end, v["k_groups"])
        group = b.mul(b.sdiv(k, v["k_groups_a_scale"]), v["channels"])
        acc, _ = self._depth(k, end, group)
        return [self._scaled(x, j, t, group) for x, (_, j), t in zip(acc, self.cells, total, strict=True)]

    def _channel(self, j: int, kind: Any, name: str, group: Value | None = None) -> Value:
        """Load this tile's j-th vector of a per-channel parameter."""
        first = self.v["channel"] if group is None else self.b.add(group, self.v["channel"])
        at = self.b.mul(self.e.add_bytes(first, self.e.lanes * j), ir.Constant(I64, 4))
        return self.e.load(self.v[name], at, kind, align=4)

    def _correction(self, j: int, group: Value | None = None) -> Value:
        return self._channel(j, self.e.ints, "correction", group)

    def _corrected(self, acc: Value, j: int, group: Value | None = None) -> Value:
        weight = self.product.count_weight
        if weight != 1:
            acc = self.b.mul(acc, self.e.constant(weight, self.e.ints))
        return self.b.add(acc, self._correction(j, group))

    def _scaled(self, acc: Value, j: int, total: Value, group: Value | None = None) -> Value:
        """Return total + acc * scale, rounded once."""
        if not self.product.is_scaled:
            return self.b.fadd(acc, total)
        t = acc if self.product.is_float else self.b.sitofp(acc, self.e.floats)
        return self.e.fma(t, self._channel(j, self.e.floats, "scale", group), total)

    def _offset(self, j: int) -> Value:
        return self._channel(j, self.e.floats, "offset")

    def _finish(self, totals: list[Value], *, sums: list[Value] | None) -> None:
        """Emit the epilogue from the scaled products to the stores."""
        e, b, v = self.e, self.b, self.v
        low, high, residual_scale = (e.splat(v[name]) for name in ("low", "high", "residual_scale"))
        packs = self.kind == "u8" and e.lanes == 16 and "wide" not in self.flags
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
            if e.lanes == 16:
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
