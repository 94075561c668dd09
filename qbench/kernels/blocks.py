"""Loads and stores of 64 numbers at a place of an array: what the loops that only move memory are written with.

LLVM cuts the vectors to whatever width a CPU has. A store may be *streaming*: it passes the caches, so that lines which
are written whole are not read first. That pays where what is written is far larger than the last cache, and only there.
Streaming stores are not ordered with others: a kernel ends with `fence` before its thread tells that it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from qbench.kernels.isa import missing
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value
from qbench.kernels.tiles.prefetch import asks_ahead

BLOCK = 64
LANES = 16
LINE_BYTES = 64
PAGE_BYTES = 4096
WIDTHS = {16: frozenset({"avx512f", "avx512bw"}), 8: frozenset({"avx2"})}
PACKED_LANES = next((lanes for lanes, needed in WIDTHS.items() if missing(needed) is None), 0)
"""Lanes of vectors of int32 of which four are narrowed to bytes by three saturating instructions; 0 without any."""


class Block:
    """Emits one block; `values` are an intrinsic's arguments, of which arrays become pointers to bytes."""

    def __init__(self, context: Any, builder: Any, sig: Any, values: Any) -> None:
        self.e, self.b = Emitter(builder, LANES), builder
        self._context, self._sig, self._values = context, sig, values

    def argument(self, index: int) -> Value:
        """Return an argument that is a number."""
        return self._values[index]

    def address(self, array: int, index: Value) -> Value:
        """Return the address of item `index`, counted over a whole C-contiguous array, as a pointer to bytes."""
        return self._place(self._sig.args[array], self._values[array], index)

    def address_in(self, argument: int, array: int, index: Value) -> Value:
        """Return the address of item `index` of an array in an argument that is a tuple."""
        return self._place(self._sig.args[argument].types[array], self.item(argument, array), index)

    def _place(self, kind: Any, array: Value, index: Value) -> Value:
        data = self._context.make_array(kind)(self._context, self.b, array).data
        return self.b.bitcast(self.b.gep(data, [index]), I8.as_pointer())

    def item(self, tuple_index: int, index: int) -> Value:
        """Return an item of an argument that is a tuple."""
        return self.b.extract_value(self._values[tuple_index], index)

    def ahead(self, address: Value, lines: int) -> None:
        """Ask for the cache lines a page further on: a CPU's own prefetchers stop at the end of a page.

        Measured with one thread on Zen 5, 64 MiB: sums to codes 31 -> 46 GB/s, two bit planes 35 -> 40, floats to
        codes 43 -> 50; half a page and two pages are less. Not where `asks_ahead` says no.
        """
        for line in range(lines if asks_ahead() else 0):
            self.e.prefetch(address, ir.Constant(I64, PAGE_BYTES + LINE_BYTES * line))

    def load(self, address: Value, kind: Any, *, skip_bytes: int = 0) -> Value:
        """Load one vector of `kind`."""
        return self.e.load(address, ir.Constant(I64, skip_bytes), kind)

    def store(self, value: Value, address: Value, *, skip_bytes: int = 0, streaming: bool) -> None:
        """Store one vector; a streaming one of a line to a line's address, or of 8 bytes to a multiple of 8."""
        place = self.e.at(address, ir.Constant(I64, skip_bytes), value.type)
        if not streaming:
            self.b.store(value, place, align=1)
            return
        stored = self.b.store(value, place, align=LINE_BYTES if isinstance(value.type, ir.VectorType) else 8)
        stored.set_metadata("nontemporal", self.b.module.add_metadata([ir.Constant(I32, 1)]))

    def floats(self, address: Value, group: int) -> Value:
        """Load 16 codes of u8 as floats, the `group`-th of a block."""
        codes = self.load(address, self.e.narrow, skip_bytes=LANES * group)
        return self.b.uitofp(self.b.zext(codes, self.e.ints), self.e.floats)

    def codes(self, four: Sequence[Value], limits: tuple[Value, Value], *, floor: bool, bounded: bool = False) -> Value:
        """Return 64 codes: floats clamped to limits that are whole numbers of 0..255, rounded half to even or down.

        `bounded` floats lie within int32: they are clamped as bytes, by a third of the instructions.
        """
        if bounded and PACKED_LANES:
            low, high = (self.e.splat_byte(self.b.fptoui(limit, I8)) for limit in limits)
            packed = self._packed(four, floor=floor)
            return self.e.overloaded("llvm.umin", self.e.overloaded("llvm.umax", packed, low), high)
        low, high = (self.e.splat(limit) for limit in limits)
        if PACKED_LANES == LANES // 2:  # 512 bits have an instruction that narrows without mixing the order
            return self._packed([self.e.clamped(t, low, high) for t in four], floor=floor)
        narrowed = []
        for t in four:
            clamped = self.e.clamped(t, low, high)
            whole = self.e.overloaded("llvm.floor" if floor else "llvm.rint", clamped)
            narrowed.append(self.b.trunc(self.b.fptosi(whole, self.e.ints), self.e.narrow))
        return self.joined(narrowed)

    def _packed(self, four: Sequence[Value], *, floor: bool) -> Value:
        """Return 64 codes of floats within int32, rounded and saturated."""
        e = Emitter(self.b, PACKED_LANES)
        parts = [part for t in four for part in self._parts(t)]
        rounded = [e.rounded(e.overloaded("llvm.floor", t) if floor else t) for t in parts]
        return self.joined([e.packed_bytes(rounded[i : i + 4]) for i in range(0, len(rounded), 4)])

    def _parts(self, vector: Value) -> list[Value]:
        """Return a vector of 16 lanes in parts of as many as this CPU packs."""
        if PACKED_LANES == LANES:
            return [vector]
        starts = range(0, LANES, PACKED_LANES)
        return [self.shuffled(vector, list(range(start, start + PACKED_LANES))) for start in starts]

    def shuffled(self, vector: Value, order: list[int]) -> Value:
        """Return the items of a vector that `order` names."""
        return self.b.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(I32, len(order)), order))

    def joined(self, four: Sequence[Value]) -> Value:
        """Return four vectors one behind the other."""
        while len(four) > 1:
            order = ir.Constant(ir.VectorType(I32, 2 * four[0].type.count), list(range(2 * four[0].type.count)))
            four = [self.b.shuffle_vector(four[i], four[i + 1], order) for i in range(0, len(four), 2)]
        return four[0]


def literals(*kinds: Any) -> tuple[Any, ...] | None:
    """Return the values of literal types, or None where one is none yet."""
    return tuple(kind.literal_value for kind in kinds) if all(isinstance(k, types.Literal) for k in kinds) else None


Body = Callable[[Block], None]


def emitted(body: Body) -> Callable[[Any, Any, Any, Any], Any]:
    """Return the code generator of an intrinsic that returns nothing."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        body(Block(context, builder, sig, values))
        return context.get_dummy_value()

    return codegen


@intrinsic
def fence(typingctx: Any) -> Any:
    """Order streaming stores before everything that follows."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def flat(typingctx: Any, array: Any) -> Any:
    """Return all items of a C-contiguous array as a vector; Numba's own `reshape` calls into its runtime."""
    kind = types.Array(array.dtype, 1, "C")

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        source = context.make_array(sig.args[0])(context, builder, values[0])
        made = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
        facts = {"shape": [source.nitems], "strides": [source.itemsize], "itemsize": source.itemsize}
        populate_array(made, data=source.data, meminfo=None, **facts)  # type: ignore[no-untyped-call]
        return made._getvalue()

    return kind(array), codegen
