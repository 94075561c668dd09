"""The micro-kernel: `mr` lhs rows by `nv` vectors of rhs columns, all accumulators in registers, fused epilogue.

Every tuned kernel of the families `gemm` and `conv` is this one intrinsic with other literals. A row of the lhs is
reached through a table of byte offsets (`lhs_rows`), a k-group inside it through another (`k_offsets`), so a matrix
product and a convolution of any kernel size, stride, padding and dilation are the same loop, without im2col.

The epilogue computes in float32; every `fma` rounds once, after the product and the sum:

    t = offset[n]
    t = fma(float32(acc + correction[n]), scale[n], t)            (grouped: for each group, in order, acc alone)
    t = fma(float32(sum(lhs) + sum_correction), shift[n], t)      (only with "sum": weights with a zero point)
    t = fma(float32(residual), residual_scale, t)                 (only with "residual")
    u8: round half even ("floor": round down), clamp to low..high (whole numbers), store; f32: clamp, store

"s32" stores acc + correction[n]; f32_f32 has t = acc + offset[n]. The accumulators start at the correction where they
can. "split": each panel stores its pairwise-safe k-groups first; their number differs per panel. "widened": no k-group
is safe for `pairs`. "ranged": each tile has a range of k-groups outside padding. "brief": groups' scales are bfloat16.
"wide": t may leave int32, so it is clamped before it is rounded: the same, an instruction slower.
"fixed" computes u8 in whole numbers as TFLite does (`fixed`): `scale` holds multipliers, `shift` exponents and `offset`
the zero point, all int32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.product import Product, parse_product
from qbench.kernels.tiles.arguments import load_fields
from qbench.kernels.tiles.cells import Cells
from qbench.kernels.tiles.dots import add_pairs, add_shorts
from qbench.kernels.tiles.emitter import I8, I32, I64, Value
from qbench.kernels.tiles.epilogue import Finish
from qbench.kernels.tiles.fields import FIELDS, FLOATS, POINTERS
from qbench.kernels.tiles.multiplier import Multiplier, Vectors
from qbench.kernels.tiles.prefetch import bytes_ahead
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import TileKind, parse_shape

_KGroup = tuple[list[Vectors], Callable[[Value], Vectors]]
"""One k-group of each column's weights, and what loads that of a row."""


@intrinsic(prefer_literal=True)
def tile(
    typingctx: Any, arguments: Any, place: Any, product: Any, dot: Any, lanes: Any, shape: Any, epilogue: Any
) -> Any:
    """Compute one tile at place (m, panel); see the module's docstring. The last five are literals.

    `shape` is `rows x vectors x spread x chains`, e.g. `12x2x1x1`.
    """
    literals = (product, dot, lanes, shape, epilogue)
    if not all(isinstance(kind, types.Literal) for kind in literals):
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        name, how, width, size, words = (literal.literal_value for literal in literals)
        kind = TileKind(how, width, parse_shape(size))
        emit_tile(builder, (values[0], values[1]), parse_product(name), parse_epilogue(words), kind)
        return context.get_dummy_value()

    return types.void(arguments, place, *literals), codegen


def emit_tile(
    builder: Any, arguments: tuple[Value, Value], product: Product, epilogue: Epilogue, kind: TileKind
) -> None:
    """Emit what `tile` does; `arguments` are a pointer to 64-bit words, and a place: a pair of them."""
    words, place = arguments
    v = load_fields(builder, words, FIELDS, pointers=POINTERS, floats=FLOATS)
    v["sum_correction"] = builder.trunc(v["sum_correction"], I32)
    v["m"], v["panel"] = (builder.extract_value(place, index) for index in (0, 1))
    Tile(builder, v, product, epilogue, kind).emit()


class Tile:
    """Emits one tile; the values of all arguments are in `v`."""

    def __init__(self, builder: Any, v: dict[str, Value], product: Product, epilogue: Epilogue, kind: TileKind) -> None:
        self.cells = Cells(builder, v, kind.lanes, kind.shape)
        self.e, self.b, self.v = self.cells.e, builder, v
        self.epilogue, self.words, self.shape = epilogue, epilogue.words, kind.shape
        self.product = multiplier_of(product, "widen" if epilogue.widened else kind.dot)
        self.finish = Finish(self.cells, epilogue, is_float=self.product.is_float)
        self.vector_bytes = self.cells.vector_bytes
        self.widened = multiplier_of(product, "widen") if epilogue.split else None
        self.together = self.product.together(kind.lanes, kind.shape.chains)
        self.parts = self.product.parts(kind.lanes, self.together)
        self.turns = kind.shape.chains // self.together if self.product.short_steps == 1 else 1
        v["panel_start"] = builder.mul(v["panel"], v["panel_bytes"])
        v["channel"] = builder.mul(v["panel"], ir.Constant(I64, self.cells.width))

    def emit(self) -> None:
        """Emit the loads of the row offsets, the depth loop and the epilogue."""
        e, b, v = self.e, self.b, self.v
        self.cells.first_row = b.mul(v["m"], ir.Constant(I64, 8))
        self.rows = [b.gep(v["lhs"], [self.cells.row(v["lhs_rows"], i)]) for i in range(self.shape.rows)]
        self.table = e.load(v["table"], ir.Constant(I64, 0), e.bytes) if self.product.has_table else None
        zero = ir.Constant(I64, 0)
        if self.widened is not None:
            v["k_offsets"] = b.gep(v["k_offsets"], [b.mul(v["panel"], v["k_table_bytes"])])
            ends, at = b.inttoptr(v["safe_ends"], I8.as_pointer()), b.mul(v["panel"], ir.Constant(I64, 16))
            v["plain_end"], v["safe_end"] = (e.load(ends, e.add_bytes(at, skip), I64, align=8) for skip in (0, 8))
        if self.words.grouped:
            total = [self._offset(j) for _, j in self.cells.places]
            scales = b.mul(v["panel"], v["scale_bytes"])
            *total, _ = e.loop(zero, v["k_groups"], v["k_groups_a_scale"], [*total, scales], self._one_group)
            self.finish.scaled(total)
            return
        accs, sums = self._depth(*self._range())
        if self.epilogue.kind == "s32":
            self.finish.sums(self._undo_multiple(acc) for acc in accs)
        elif self.epilogue.fixed:
            self.finish.fixed([self._undo_multiple(acc) for acc in accs])
        else:
            scaled = [self._scaled(x, j, self._offset(j)) for x, (_, j) in zip(accs, self.cells.places, strict=True)]
            self.finish.scaled(scaled, sums=sums or None)

    def _range(self) -> tuple[Value, Value]:
        """Return the k-groups to multiply: all, or those that not all rows have in padding."""
        if not self.epilogue.ranged:
            return ir.Constant(I64, 0), self.v["k_groups"]
        both = self.e.load(self.v["ranges"], self.cells.first_row, I64, align=8)
        low = self.b.and_(both, ir.Constant(I64, 2**32 - 1))
        return low, self.b.lshr(both, ir.Constant(I64, 32))

    def _undo_multiple(self, acc: Value) -> Value:
        shift = self.product.multiple.bit_length() - 1
        return self.b.ashr(acc, self.e.constant(shift, self.e.ints)) if shift else acc

    def _depth(self, begin: Value, end: Value, group: Value | None = None) -> tuple[list[Value], list[Value]]:
        """Return the accumulators, correction included, and the rows' sums over k-groups begin..end."""
        e, product = self.e, self.product
        blank = e.constant(0.0, e.floats) if product.is_float else e.constant(0, e.ints)
        raw = self.shape.rows * self.shape.vectors
        corrects = not product.is_float and (group is None or product.corrects_groups)
        early = corrects and not self._corrects_late
        acc = [self._correction(c % self.shape.vectors, group) if early else blank for c in range(raw)]
        acc += [blank] * (raw * (self.turns * self.parts - 1) + (self.shape.rows if self.words.sum else 0))
        parts = [(end, product, False)]
        if self.widened is not None:
            parts = [
                (self.v["plain_end"], product, False), (self.v["safe_end"], product, True), (end, self.widened, True)
            ]  # fmt: skip
        first = begin
        for last, kind, chooses in parts:
            step = partial(self._k_groups, kind, chooses)
            acc = e.loop(first, last, kind.planes * self.shape.chains, acc, step, may_skip=len(parts) > 1)
            first = last
        states, sums = self._states(acc)
        counted, add = [product.total(e, state) for state in states], self.b.fadd if product.is_float else self.b.add
        totals = counted[:raw]
        for turn in range(1, self.turns):
            totals = [add(t, counted[raw * turn + cell]) for cell, t in enumerate(totals)]
        if product.excess(e.lanes):
            count = self.b.trunc(self.b.sub(end, begin), I32)
            excess = e.splat(self.b.mul(count, ir.Constant(I32, product.excess(e.lanes))))
            totals = [self.b.sub(total, excess) for total in totals]
        if self.shape.spread == 2:
            swap = ir.Constant(ir.VectorType(I32, e.lanes), [lane ^ 1 for lane in range(e.lanes)])
            sums = [self.b.add(total, self.b.shuffle_vector(total, total, swap)) for total in sums]
            totals = [e.add_neighbours(totals[cell], totals[cell + 1]) for cell in range(0, raw, 2)]
        totals = [self._weighted(x) for x in totals]
        if corrects and not early:
            places = self.cells.places
            totals = [self.b.add(x, self._correction(j, group)) for x, (_, j) in zip(totals, places, strict=True)]
        return totals, sums

    @property
    def _corrects_late(self) -> bool:
        """Whether the correction cannot be where the accumulators start."""
        return self.product.count_weight != 1 or self.shape.spread == 2 or self.parts > 1

    def _states(self, acc: list[Value]) -> tuple[list[Vectors], list[Value]]:
        """Return the parts of every sum, turn by turn, and the rows' sums."""
        flat = self.shape.rows * self.shape.vectors * self.turns * self.parts
        return [tuple(acc[at : at + self.parts]) for at in range(0, flat, self.parts)], acc[flat:]

    def _k_groups(self, product: Multiplier, chooses: bool, k: Value, acc: list[Value]) -> list[Value]:
        """Add the products of one packed set of k-groups, of one for each chain, to the accumulators.

        `chooses` says that the codes of a k-group are chosen out of a window of the lhs. Where products have
        `short_steps`, the chains are one sum, in 16 bits first.
        """
        e, b = self.e, self.b
        states, sums = self._states(acc)
        (rows, vectors), planes = (self.shape.rows, self.shape.vectors), product.planes
        shorts: dict[int, Value] = {}  # sums of 16 bits, by cell
        taken: list[_KGroup] = []
        set_bytes = self.vector_bytes * product.vectors * vectors
        at = b.add(self.v["panel_start"], b.mul(k, ir.Constant(I64, set_bytes // planes)))
        for k_group in range(planes * self.shape.chains):
            chain, plane = divmod(k_group, planes)
            if plane == 0:
                packed = self._packed_set(e.add_bytes(at, set_bytes * chain))
            weights = [product.rhs(e, p, plane, self.table) for p in packed]
            taken.append((weights, self._lhs_at(product, e.add_bytes(k, k_group), chooses=chooses)))
            if len(taken) < self.together:
                continue
            full = (k_group + 1) % product.short_steps == 0 or k_group + 1 == planes * self.shape.chains
            for i in range(rows):
                xs = [lhs(self.rows[i]) for _, lhs in taken]
                for j in range(vectors):
                    cell = (chain // self.together % self.turns * rows + i) * vectors + j
                    if product.short_steps == 1:
                        states[cell] = product.steps(e, states[cell], xs, [of_group[j] for of_group, _ in taken])
                    else:
                        shorts[cell] = add_pairs(e, shorts.get(cell), xs[0][0], weights[j][0])
                    if shorts and full:
                        states[cell] = (add_shorts(e, states[cell][0], shorts.pop(cell)),)
                if self.words.sum:
                    sums[i] = product.step(e, sums[i], xs[0], product.ones(e))  # type: ignore[attr-defined]
            taken = []
        return [*(part for state in states for part in state), *sums]

    def _lhs_at(self, product: Multiplier, k_group: Value, *, chooses: bool) -> Callable[[Value], Vectors]:
        """Return what loads one k-group of a row."""
        e, b = self.e, self.b
        where, table = b.mul(k_group, ir.Constant(I64, 8)), self.v["k_offsets"]
        if self.widened is None:
            offset = e.load(table, where, I64, align=8)
        else:
            offset = b.sext(e.load(table, where, I32, align=8), I64)
        if not chooses:
            return lambda row: product.lhs(e, row, offset, self.shape.spread)
        selectors = e.load(table, e.add_bytes(where, 4), I32)
        return lambda row: product.selected_lhs(e, row, offset, selectors)  # type: ignore[attr-defined]

    def _packed_set(self, at: Value) -> list[Vectors]:
        """Load the packed vectors of all columns of the tile, and ask for those that are read later."""
        e, size = self.e, self.vector_bytes * self.product.vectors
        packed = [self._packed(e.add_bytes(at, size * j)) for j in range(self.shape.vectors)]
        ahead = bytes_ahead(self.shape.rows, grouped=self.words.grouped)
        for line in range(0, size * self.shape.vectors if ahead else 0, 64):
            e.prefetch(self.v["rhs"], e.add_bytes(at, ahead + line))
        return packed

    def _packed(self, at: Value) -> Vectors:
        """Load the packed vectors of one column of the tile."""
        e, size = self.e, self.vector_bytes
        places = (e.add_bytes(at, size * part) for part in range(self.product.vectors))
        return tuple(e.load(self.v["rhs"], place, e.ints, align=size) for place in places)

    def _one_group(self, k: Value, state: list[Value]) -> list[Value]:
        """Add one group's scaled products to the float totals; the state's last value is where its scales lie."""
        e, b, v = self.e, self.b, self.v
        *total, at = state
        end = b.add(k, v["k_groups_a_scale"])
        end = b.select(b.icmp_signed("<", end, v["k_groups"]), end, v["k_groups"])
        acc, _ = self._depth(k, end, at)
        scaled = [self._scaled(x, j, t, at) for x, (_, j), t in zip(acc, self.cells.places, total, strict=True)]
        return [*scaled, e.add_bytes(at, self.cells.width * 4)]

    def _group_scale(self, j: int, group: Value) -> Value:
        """Load a group's scales of this tile's j-th vector; `group` counts four bytes per channel."""
        if not self.epilogue.brief:
            return self.cells.channel(j, self.e.floats, "scale", group)
        at = self.e.add_bytes(group, self.vector_bytes * j)
        return self.e.load_bfloat16(self.v["scale"], self.b.lshr(at, ir.Constant(I64, 1)))

    def _correction(self, j: int, group: Value | None = None) -> Value:
        return self.cells.channel(j, self.e.ints, "correction", group)

    def _weighted(self, acc: Value) -> Value:
        weight = self.product.count_weight
        return acc if weight == 1 else self.b.mul(acc, self.e.constant(weight, self.e.ints))

    def _scaled(self, acc: Value, j: int, total: Value, group: Value | None = None) -> Value:
        """Return total + acc * scale, rounded once."""
        if not self.product.is_scaled:
            return self.b.fadd(acc, total)
        t = acc if self.product.is_float else self.b.sitofp(acc, self.e.floats)
        scale = self.cells.channel(j, self.e.floats, "scale") if group is None else self._group_scale(j, group)
        return self.e.fma(t, scale, total)

    def _offset(self, j: int) -> Value:
        return self.cells.channel(j, self.e.floats, "offset")
