"""What the compiler makes of tiles, for any instruction set, on any computer: dot instructions, loads, spills."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from llvmlite import ir

from qbench.kernels.epilogue import Epilogue, parse_epilogue
from qbench.kernels.jit import compiled_for
from qbench.kernels.product import Product, parse_product
from qbench.kernels.tiles.emitter import I64, NARROW
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import Target, TileKind, TileShape, tile_shape
from qbench.kernels.tiles.tile import emit_tile

_NAMES = ("u8_s8", "s8_s8", "u8_s4", "u8_s2", "u8_t4", "u8_t1", "b1_b1", "t2_t2", "p2_p2", "f32_f32")
PRODUCTS = tuple(map(parse_product, _NAMES))
SHORTS = parse_product("s16_s16")
"""Winograd's product of transformed codes and weights, on instruction sets that have it."""
ODD_WIDTHS = tuple(map(parse_product, ("u8_s1", "u8_s3", "u8_s5", "u8_s6", "u8_s7")))
EPILOGUES = tuple(map(parse_epilogue, ("u8+residual", "u8+grouped", "u8+sum", "u8+fixed")))
PLAIN = EPILOGUES[0]
DEEP = 512
"""K-groups: more than any tile's chains divide."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Regular expressions over lines of assembly: instructions that multiply or count, best first; loads; spills."""

    dots: tuple[str, ...]
    load: str
    spill: str


X86 = Patterns(
    ("vpdpbusd", "vpdpwssd", "vpmaddwd", "vfmadd231ps", "vpopcntd", "vpopcntb", "vpshufb"),
    r"^(?!\s+prefetch).*\(%r(?!sp\b|ip\b)",
    r"[xyz]mm.*\(%rsp|\(%rsp.*[xyz]mm",
)
AARCH64 = Patterns(("usdot", "sdot", "fmla", "cnt"), r"^\s+ld\w+\s(?!.*\[sp\b)", r"\b[qdsv]\d+\b.*\[sp\b")


@dataclass(frozen=True, slots=True)
class TileRow:
    """The depth loop of one tile: its dot instruction, how many of it, loads, and spills of vector registers."""

    product: str
    epilogue: str
    shape: str
    instruction: str
    dots: int
    loads: int
    spills: int

    @property
    def loads_a_dot(self) -> float:
        """Loads for each dot instruction."""
        return self.loads / max(1, self.dots)


def compiled_tile(target: Target, product: Product, epilogue: Epilogue, shape: TileShape) -> tuple[str, bytes]:
    """Return the assembly and the object file of one tile, `void tile(int64 *arguments, int64 m, int64 panel)`.

    This machine need not have the instruction set.
    """
    module = ir.Module()
    module.triple = triple_of(target)
    kind = ir.FunctionType(ir.VoidType(), [I64.as_pointer(), I64, I64])
    function = ir.Function(module, kind, "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    place = ir.Constant(ir.LiteralStructType([I64, I64]), ir.Undefined)
    for index, value in enumerate(function.args[1:]):
        place = builder.insert_value(place, value, index)
    emit_tile(builder, (function.args[0], place), product, epilogue, TileKind(target.dot, target.lanes, shape))
    builder.ret_void()
    return compiled_for(module.triple, target.requires, str(module))


def triple_of(target: Target) -> str:
    """Return LLVM's name of the machine that has the instruction set."""
    return "aarch64-unknown-linux-gnu" if target.name.startswith("aarch64") else "x86_64-unknown-linux-gnu"


def shapes_of(target: Target, product: Product, epilogue: Epilogue) -> Iterator[TileShape]:
    """Yield the tile shapes in use: every height that many rows, or few, are given."""
    for vectors, spread in target.panels(spreads=multiplier_of(product).spreads):
        panel = Tiling(vectors * target.lanes // spread, vectors, spread)
        most = target.most_rows(product, epilogue, vectors)
        for rows in {1, 2, 4, most - 1, most} - {0}:
            if rows <= most:
                yield tile_shape(target, product, epilogue, panel, rows, DEEP)


def row_of(target: Target, product: Product, epilogue: Epilogue, shape: TileShape) -> TileRow:
    """Compile a tile and return what its depth loop holds."""
    patterns = AARCH64 if target.name.startswith("aarch64") else X86
    lines = depth_loop(compiled_tile(target, product, epilogue, shape)[0], patterns)
    names = Counter(found[1] for line in lines if (found := re.match(r"\s+(?:\{\w+\}\s+)?(\w+)", line)))
    instruction = next((name for name in patterns.dots if names[name]), "none")
    loads, spills = (sum(bool(re.search(p, line)) for line in lines) for p in (patterns.load, patterns.spill))
    return TileRow(str(product), str(epilogue), str(shape), instruction, names[instruction], loads, spills)


def rows(target: Target, *, every: bool = False) -> Iterator[TileRow]:
    """Yield a row for each product's tallest tile, of `every` shape and epilogue if asked."""
    shorts = (SHORTS,) if target.lanes > NARROW else ()
    for product in (*PRODUCTS, *shorts, *(ODD_WIDTHS if every else ())):
        bare = parse_epilogue("s32" if product == SHORTS else "f32")
        own = EPILOGUES if multiplier_of(product).spreads else (PLAIN,)
        epilogues = (bare,) if product == SHORTS or product.is_float else own
        for epilogue in epilogues if every else epilogues[:1]:
            shapes = sorted(set(shapes_of(target, product, epilogue)), key=lambda shape: (shape.vectors, shape.rows))
            for shape in shapes if every else shapes[-1:]:
                yield row_of(target, product, epilogue, shape)


def depth_loop(text: str, patterns: Patterns) -> list[str]:
    """Return the lines of the depth loop: the loop with the most loads."""
    found = loops(text)
    assert found, "a tile without a loop"
    return max(found, key=lambda lines: sum(bool(re.search(patterns.load, line)) for line in lines))


def loops(text: str) -> list[list[str]]:
    """Return the lines of every block that jumps to its own start."""
    found: list[list[str]] = []
    blocks = re.split(r"^(\.L\w+):", text, flags=re.M)
    for label, body in zip(blocks[1::2], blocks[2::2], strict=True):
        lines = body.splitlines()
        ends = [number for number, line in enumerate(lines) if re.search(rf"\s{re.escape(label)}$", line.rstrip())]
        if ends:
            found.append(lines[: ends[0]])
    return found
