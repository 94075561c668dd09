"""The stages of a block of tiles, emitted: codes and weights are transformed, multiplied, and sums made codes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qbench.kernels.blocks import literals
from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.product import parse_product
from qbench.kernels.tiles.arguments import load_fields
from qbench.kernels.tiles.cells import Cells
from qbench.kernels.tiles.emitter import I8, I32, I64, Emitter, Value
from qbench.kernels.tiles.epilogue import Finish
from qbench.kernels.tiles.multiplier import Multiplier
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import TileKind, TileShape, parse_shape
from qbench.kernels.tiles.tile import Tile
from qbench.kernels.winograd.algebra import input_of, output_of, weights_of
from qbench.kernels.winograd.fields import FIELDS, FLOATS, POINTERS, PRODUCT, UNPACKED
from qbench.kernels.winograd.transforms import INVERSE_OF_NINE, KERNEL, KINDS, SIDE, TAPS, Direction, shifts

SIGN_BITS = 0x80


def _unpacked(name: str) -> Multiplier:
    """Return what reads the weights of a product of that name."""
    return multiplier_of(parse_product(name), UNPACKED)


def _fields(builder: Any, arguments: Value) -> dict[str, Value]:
    return load_fields(builder, arguments, FIELDS, pointers=POINTERS, floats=FLOATS)


def _constant(number: int) -> Value:
    return ir.Constant(I64, number)


def _each_kind(builder: Any, kind: Value, kinds: str, emit: Callable[[int], None]) -> None:
    """Emit what is done for each of `kinds`, chosen by `kind` where they are several."""
    for number in map(int, kinds):
        if len(kinds) == 1:
            emit(number)
            continue
        with builder.if_then(builder.icmp_signed("==", kind, _constant(number))):
            emit(number)


@intrinsic(prefer_literal=True)
def transform_codes(typingctx: Any, arguments: Any, place: Any, kinds: Any, width: Any, signed: Any) -> Any:
    """Write B d B' of one tile, `width` channels at a time; `place` is (part, tile, row of the block, kind)."""
    types_of = (kinds, width, signed)
    found = literals(*types_of)
    if found is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        present, channels, flips = found
        v, e, b = _fields(builder, values[0]), Emitter(builder, channels // 2), builder
        part, tile, row, kind = (b.extract_value(values[1], i) for i in range(4))
        target = b.gep(v["scratch"], [b.mul(part, v["part_bytes"])])

        def emit(number: int) -> None:
            first = e.load(v["windows"], b.mul(b.add(tile, v[f"window_{number}"]), _constant(8)), I64, align=8)
            at = e.load(v["lhs_rows"], b.mul(b.add(row, v[f"row_{number}"]), _constant(8)), I64, align=8)
            places = b.gep(v["lhs"], [first]), b.gep(target, [at])
            _transform_tile(e, v, *KINDS[number], *places, flips=bool(flips))

        _each_kind(b, kind, present, emit)
        return context.get_dummy_value()

    return types.void(arguments, place, *types_of), codegen


def _transform_tile(
    e: Emitter, v: dict[str, Value], down: Direction, right: Direction, source: Value, target: Value, *, flips: bool
) -> None:
    """Write B d B' of the tile whose first code is at `source`."""
    b, channels = e.builder, 2 * e.lanes

    def chunk(channel: Value, state: list[Value]) -> list[Value]:
        rows = [b.add(channel, b.mul(v["row_bytes"], _constant(i))) for i in range(down.side)]
        columns = []
        for j in range(right.side):
            beside = b.mul(v["pixel_bytes"], _constant(j))
            codes = [e.load(source, b.add(at, beside), ir.VectorType(I8, channels)) for at in rows]
            if flips:
                codes = [b.xor(code, e.constant(SIGN_BITS, code.type)) for code in codes]
            columns.append(input_of(e, [b.zext(code, e.shorts) for code in codes]))
        for i, position in enumerate(down.positions):
            for value, beside in zip(input_of(e, [column[i] for column in columns]), right.positions, strict=True):
                skipped = b.mul(v["lhs_position_bytes"], _constant(SIDE * position + beside))
                e.store(value, target, b.add(b.mul(channel, _constant(2)), skipped))
        return state

    e.loop(_constant(0), v["depth"], channels, [], chunk)


@intrinsic(prefer_literal=True)
def transform_weights(typingctx: Any, arguments: Any, place: Any, product: Any, lanes: Any, vectors: Any) -> Any:
    """Write G g G' of one panel; `place` is (part, panel)."""
    kinds = (product, lanes, vectors)
    found = literals(*kinds)
    if found is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        name, width, count = found
        v, e, b, facts = _fields(builder, values[0]), Emitter(builder, width), builder, _unpacked(name)
        part, panel = (b.extract_value(values[1], i) for i in range(2))
        source = b.gep(v["rhs"], [b.mul(panel, v["panel_bytes"])])
        target = b.gep(v["scratch"], [b.add(b.mul(part, v["part_bytes"]), v["rhs_at"])])
        table = e.load(v["table"], _constant(0), e.bytes) if facts.has_table else None
        vector_bytes, set_bytes = 4 * width, 4 * width * count * facts.vectors
        down = e.constant(facts.multiple.bit_length() - 1, e.shorts)
        room = cgutils.alloca_once(b, ir.ArrayType(e.ints, TAPS * facts.planes))  # type: ignore[no-untyped-call]
        waiting = b.bitcast(room, I8.as_pointer())

        def shorts(word: Value, half: int) -> Value:
            """Return two of the four channels of every lane."""
            codes = b.bitcast(word, e.bytes)
            order = [first + k for first in range(2 * half, 4 * width, 4) for k in (0, 1)]
            wide = b.sext(b.shuffle_vector(codes, codes, ir.Constant(ir.VectorType(I32, 2 * width), order)), e.shorts)
            return b.ashr(wide, down) if facts.multiple > 1 else wide

        def unpack(at: Value) -> None:
            """Leave the words of every plane and tap in `waiting`."""
            for tap in range(TAPS):
                places = [e.add_bytes(at, vector_bytes * r) for r in range(facts.vectors)]
                packed = tuple(e.load(source, place, e.ints, align=vector_bytes) for place in places)
                for plane in range(facts.planes):
                    (word,) = facts.rhs(e, packed, plane, table)
                    e.store(word, waiting, _constant(vector_bytes * (TAPS * plane + tap)))
                at = b.add(at, v["tap_bytes"])

        def one(turn: Value, state: list[Value]) -> list[Value]:
            for j in range(count):
                unpack(e.add_bytes(b.mul(turn, _constant(set_bytes)), vector_bytes * j * facts.vectors))

                def plane(number: Value, state: list[Value], j: int = j) -> list[Value]:
                    begin = b.mul(number, _constant(vector_bytes * TAPS))
                    words = [e.load(waiting, e.add_bytes(begin, vector_bytes * tap), e.ints) for tap in range(TAPS)]
                    group = b.add(b.mul(turn, _constant(facts.planes)), number)
                    for half in range(2):
                        to = b.mul(group, _constant(2 * count * vector_bytes))
                        to = e.add_bytes(to, (half * count + j) * vector_bytes)
                        taps = [shorts(word, half) for word in words]
                        columns = [weights_of(e, taps[column::KERNEL]) for column in range(KERNEL)]
                        for i in range(SIDE):
                            for value in weights_of(e, [column[i] for column in columns]):
                                e.store(value, target, to)
                                to = b.add(to, v["rhs_position_bytes"])
                    return state

                e.loop(_constant(0), _constant(facts.planes), 1, [], plane)
            return state

        e.loop(_constant(0), b.sdiv(v["k_groups"], _constant(2 * facts.planes)), 1, [], one)
        return context.get_dummy_value()

    return types.void(arguments, place, *kinds), codegen


@intrinsic(prefer_literal=True)
def multiply(typingctx: Any, arguments: Any, place: Any, dot: Any, lanes: Any, shape: Any) -> Any:
    """Write one position's products of some tiles with a panel; `place` is (part, position, row, first row)."""
    kinds = (dot, lanes, shape)
    found = literals(*kinds)
    if found is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        how, width, size = found
        v, e, b = _fields(builder, values[0]), Emitter(builder, width), builder
        part, position, row, first = (b.extract_value(values[1], i) for i in range(4))
        scratch = b.gep(v["scratch"], [b.mul(part, v["part_bytes"])])
        weights = b.add(v["rhs_at"], b.mul(position, v["rhs_position_bytes"]))
        sums = b.add(v["sums_at"], b.mul(position, v["sum_position_bytes"]))
        skipped = e.load(v["lhs_rows"], b.mul(first, _constant(8)), I64, align=8)
        words = {
            "lhs": b.gep(scratch, [b.add(skipped, b.mul(position, v["lhs_position_bytes"]))]),
            "rhs": b.gep(scratch, [weights]),
            "out": b.gep(scratch, [sums]),
            "out_rows": v["sum_rows"], "correction": v["zeros"], "m": row, "panel": _constant(0),
        }  # fmt: skip
        Tile(builder, {**v, **words}, PRODUCT, Epilogue("s32"), TileKind(how, width, parse_shape(size))).emit()
        return context.get_dummy_value()

    return types.void(arguments, place, *kinds), codegen


@intrinsic(prefer_literal=True)
def transform_sums(
    typingctx: Any, arguments: Any, place: Any, kinds: Any, lanes: Any, vectors: Any, epilogue: Any
) -> Any:
    """Write the pixels of one tile, a vector of channels; `place` is (part, panel, tile, row, j, kind)."""
    types_of = (kinds, lanes, vectors, epilogue)
    found = literals(*types_of)
    if found is None:
        return None

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        present, width, count, words = found
        v, b = _fields(builder, values[0]), builder
        part, panel, tile, row, j, kind = (b.extract_value(values[1], i) for i in range(6))
        v["sums"] = b.gep(v["scratch"], [b.add(b.mul(part, v["part_bytes"]), v["sums_at"])])
        v["row"], v["vector"] = row, j
        v["channel"] = b.mul(b.add(b.mul(panel, _constant(count)), j), _constant(width))

        def emit(number: int) -> None:
            down, right = KINDS[number]
            pixels = down.out * right.out
            place = {"m": b.add(v[f"pixel_{number}"], b.mul(tile, _constant(pixels)))}
            cells = Cells(builder, {**v, **place}, width, TileShape(pixels, 1))
            _emit_pixels(cells, parse_epilogue(words), down, right)

        _each_kind(b, kind, present, emit)
        return context.get_dummy_value()

    return types.void(arguments, place, *types_of), codegen


def _emit_pixels(cells: Cells, epilogue: Epilogue, down: Direction, right: Direction) -> None:
    """Emit the pixels of one tile: A m A', what undoes its factors, and the epilogue."""
    e, b, v = cells.e, cells.b, cells.v
    cells.first_row = b.mul(v["m"], _constant(8))
    at = e.load(v["sum_rows"], b.mul(v["row"], _constant(8)), I64, align=8)
    at = b.add(at, b.mul(v["vector"], _constant(cells.vector_bytes)))
    columns = []
    for beside in right.positions:
        skipped = [b.mul(v["sum_position_bytes"], _constant(SIDE * row + beside)) for row in down.positions]
        sums = [e.load(v["sums"], b.add(at, more), e.ints, align=cells.vector_bytes) for more in skipped]
        columns.append(output_of(e, sums))
    outputs = [output for i in range(down.out) for output in output_of(e, [column[i] for column in columns])]
    correction, ninth = cells.channel(0, e.ints, "correction"), e.constant(INVERSE_OF_NINE, e.ints)
    bits = [e.constant(number, e.ints) for number in shifts(down, right)]
    accs = [b.add(b.ashr(b.mul(x, ninth), by), correction) for x, by in zip(outputs, bits, strict=True)]
    finish = Finish(cells, epilogue, is_float=False)
    if epilogue.kind == "s32":
        finish.sums(accs)
    elif epilogue.fixed:
        finish.fixed(accs)
    else:
        scale, offset = (cells.channel(0, e.floats, name) for name in ("scale", "offset"))
        finish.scaled([e.fma(b.sitofp(acc, e.floats), scale, offset) for acc in accs])
