"""The instruction sets that tiles are made for, best last, and the tile shape of each product there.

No tile spills a vector register in its depth loop (tested in `tests/kernels/test_tiles.py`). To add an instruction
set: one row here, and, when its dot instruction is new, a few lines in `dots.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from qbench.kernels.epilogue import Epilogue
from qbench.kernels.isa import missing
from qbench.kernels.product import Product
from qbench.kernels.tiles.emitter import NARROW
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import multiplier_of

LEAST_CHAINS = 8
"""Accumulators that keep a dot instruction of latency 4 busy twice a cycle; half of them where `pairs` end in an
addition: there more would only spill."""


@dataclass(frozen=True, slots=True)
class TileShape:
    """Lhs rows, rhs vectors, neighbouring lanes per channel, and accumulators that take turns over the depth."""

    rows: int
    vectors: int
    spread: int = 1
    chains: int = 1

    def __str__(self) -> str:
        """Return the literal that `tile` reads."""
        return f"{self.rows}x{self.vectors}x{self.spread}x{self.chains}"

    def width(self, lanes: int) -> int:
        """Return the channels of a tile."""
        return self.vectors * lanes // self.spread


def parse_shape(text: str) -> TileShape:
    """Return the shape of a literal such as `12x2x1x1`."""
    return TileShape(*(int(number) for number in text.split("x")))


@dataclass(frozen=True, slots=True)
class TileKind:
    """How a tile is computed: by a dot instruction, in vectors of so many 32-bit lanes, of a shape."""

    dot: str
    lanes: int
    shape: TileShape


class Heights(Protocol):
    """What knows the best height of tiles of so many vectors."""

    def height(self, heights: Iterable[int], vectors: int) -> int:
        """Return one of the heights."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A variant's name, the CPU features it needs, its vector width in 32-bit lanes, and its tiles.

    `rows[(name, vectors)]` is the most lhs rows of a tile: of a product, of "split" or "widened" tiles whatever their
    product, and, without a name, of all others.
    """

    name: str
    requires: frozenset[str]
    lanes: int
    dot: str
    rows: dict[tuple[str, int], int]
    grouped_rows: int

    def panels(self, *, spreads: bool) -> tuple[tuple[int, int], ...]:
        """Return the (vectors, lanes per channel) that panels have here; the second only where a product `spreads`."""
        if self.lanes == NARROW:
            return ((4, 1),)  # 16 channels, which layouts are padded to
        return ((1, 1), (2, 1), (2, 2)) if spreads and self.lanes == 16 else ((1, 1), (2, 1))

    def most_rows(self, product: Product, epilogue: Epilogue, vectors: int) -> int:
        """Return the most rows of a tile: fewer where float totals or row sums need registers too."""
        name = "split" if epilogue.split else "widened" if epilogue.widened else str(product)
        rows = self.rows.get((name, vectors), self.rows[("", vectors)])
        if epilogue.words.grouped:
            rows = min(rows, self.grouped_rows)
        return max(1, rows * vectors // (vectors + 1) if epilogue.words.sum else rows)


def tile_shape(
    target: Target, product: Product, epilogue: Epilogue, panel: Tiling, rows: int, span: int, *,
    ranges: Heights | None = None,
) -> TileShape:  # fmt: skip
    """Return the shape of a tile.

    Args:
        target: the instruction set.
        product: the product.
        epilogue: its epilogue, with the words that binding found.
        panel: a panel of the packed rhs.
        rows: lhs rows in all.
        span: k-groups that every depth loop's length is a multiple of; chains must divide it.
        ranges: what each row needs of the depth, where that differs.
    """
    facts, vectors, sums = multiplier_of(product, target.dot), panel.vectors, epilogue.words.sum
    most = target.most_rows(product, epilogue, vectors)
    tall = even_rows(rows, most)
    if ranges is not None and rows > most:
        tall = ranges.height(sorted({most, max(1, most - 1), -(-most // 2), min(most, FEW_ROWS[-1])}), vectors)
    least, parts = LEAST_CHAINS // (2 if target.dot == "pairs" else 1), facts.parts(target.lanes, 1)
    chains = max(facts.together(target.lanes, 2), least // parts // (tall * vectors))
    if facts.short_steps > 1:
        chains = max(1, min(LEAST_CHAINS, facts.short_steps) // facts.planes)
    while span % (chains * facts.planes) or (sums and chains > 1):
        chains //= 2
    return TileShape(tall, vectors, panel.spread, max(1, chains))


FEW_ROWS = (1, 2, 4)
"""Heights of tiles for products of so few rows; between them and the highest there is only the highest but one."""
WORTH = 1.06
"""A lower tile is taken when it computes so much fewer repeated rows: 4 times 4 for 16 rows, not 3 times 6."""


def even_rows(rows: int, most: int) -> int:
    """Return the rows of a tile for `rows` rows in all: few different ones, since each is compiled."""
    few = [height for height in FEW_ROWS if rows <= height < most]
    if few:
        return few[0]
    best = most
    for lower in (max(1, most - 1), min(most, FEW_ROWS[-1])):
        if -(-rows // best) * best > WORTH * (-(-rows // lower) * lower):
            best = lower
    return best


NEON = frozenset({"neon", "dotprod"})
AVX2 = frozenset({"avx2", "fma"})
AVX512 = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})
WIDE_ROWS = {
    ("", 1): 14, ("", 2): 8, ("u8_s7", 2): 5, ("t2_t2", 1): 12, ("t2_t2", 2): 5, ("p2_p2", 1): 8, ("p2_p2", 2): 3,
}  # fmt: skip
"""8 rows of 2 vectors: as fast as 12 at any depth, and faster where the depth is short, since the epilogue of one tile
overlaps with the next tile's products (K = 64: 906 against 840 Gop/s). Where bits are carried a sum takes two or
three registers."""

NARROW_ROWS = {
    ("", 4): 6, ("t2_t2", 4): 3, ("p2_p2", 4): 3,
    **{(f"u8_{rhs}", 4): 5 for rhs in ("s4", "s2", "s1", "t4", "t1")},
    **{(f"u8_{rhs}", 4): 3 for rhs in ("s3", "s5", "s6", "s7")},
}  # fmt: skip
"""Tiles of 16 channels in four 128-bit vectors; 32 registers hold their sums, weights and what unpacks them."""
WIDENED_ROWS = {
    ("", 1): 14, ("", 2): 8, ("u8_s2", 1): 13, ("u8_s2", 2): 5,
    ("b1_b1", 1): 12, ("b1_b1", 2): 5, ("t2_t2", 1): 12, ("t2_t2", 2): 4, ("p2_p2", 1): 7, ("p2_p2", 2): 3,
    **{(f"u8_{rhs}", vectors): 4 * (3 - vectors) for rhs in ("s1", "s3", "s5", "t1") for vectors in (1, 2)},
    ("u8_s6", 1): 8, ("u8_s6", 2): 3, ("u8_s7", 1): 8, ("u8_s7", 2): 1,
}  # fmt: skip
"""Without a dot instruction unpacked weights take two registers per vector."""

PAIRS_ROWS = {
    ("", 1): 8, ("", 2): 4, ("f32_f32", 1): 12, ("f32_f32", 2): 6, ("b1_b1", 1): 9, ("b1_b1", 2): 3,
    **{(key, vectors): 10 // vectors for key in ("u8_s8", "s8_s8", "split") for vectors in (1, 2)},
}  # fmt: skip
"""16 registers: 10 sums, two vectors of weights, codes, their products and ones. Weights that are widened or unpacked
take more: 8 sums, the fastest also where a vector of packed weights then waits in memory (4 bits: 161 against 158 and
119 Gop/s for 4, 3 and 5 rows). Split tiles, which widen few k-groups, are as high as those that widen none."""

TARGETS: tuple[Target, ...] = (
    Target("aarch64_dotprod", NEON, 4, "sdot", NARROW_ROWS, 3),
    Target("aarch64_i8mm", NEON | {"i8mm"}, 4, "usdot", NARROW_ROWS, 3),
    Target("x86_avx2", AVX2, 8, "pairs", PAIRS_ROWS, 4),
    Target("x86_avxvnni", AVX2 | {"avxvnni"}, 8, "vnni", {("", 1): 10, ("", 2): 5, ("p2_p2", 2): 3}, 2),
    Target("x86_avx512", AVX512, 16, "widen", WIDENED_ROWS, 5),
    Target("x86_vnni", AVX512 | {"avx512vnni", "avx512vpopcntdq"}, 16, "vnni", WIDE_ROWS, 6),
)


def target_of(name: str) -> Target:
    """Return the target called `name`."""
    return next(target for target in TARGETS if target.name == name)


def available() -> tuple[Target, ...]:
    """Return this machine's targets, best last."""
    return tuple(target for target in TARGETS if missing(target.requires) is None)
