"""The instruction sets that tiles are made for, best last, and the tile shape of each product there.

No tile spills a vector register (tested in `tests/kernels/test_spills.py`). To add an instruction set: one row here,
and, when its dot instruction is new, a few lines in `products.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbench.kernels.isa import missing


@dataclass(frozen=True, slots=True)
class Target:
    """A variant's name, the CPU features it needs, its vector width in 32-bit lanes, and its tiles.

    `rows[(product, vectors)]` is the lhs rows of a tile; the key without a product is the default.
    """

    name: str
    requires: frozenset[str]
    lanes: int
    dot: str
    rows: dict[tuple[str, int], int]

    def tile_rows(self, product: str, vectors: int, *, grouped: bool, sums: bool) -> int:
        """Return the rows of a tile: fewer where float totals or row sums need registers too."""
        rows = self.rows.get((product, vectors), self.rows[("", vectors)])
        if grouped:
            rows = rows // 2
        return max(1, rows * vectors // (vectors + 1) if sums else rows)


AVX2 = frozenset({"avx2", "fma"})
AVX512 = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})
TABLE_ROWS = {(f"u8_t{bits}", 2): 10 for bits in (4, 2, 1)}
"""Looking weights up takes registers too: 11 rows of 2 vectors still spill one."""

TARGETS: tuple[Target, ...] = (
    Target("x86_avx2", AVX2, 8, "widen", {("", 1): 4, ("", 2): 2, ("f32_f32", 1): 12, ("f32_f32", 2): 6}),
    Target("x86_avxvnni", AVX2 | {"avxvnni"}, 8, "vnni", {("", 1): 10, ("", 2): 5}),
    Target("x86_avx512", AVX512, 16, "widen", {("", 1): 14, ("", 2): 8}),
    Target(
        "x86_vnni",
        AVX512 | {"avx512vnni", "avx512vpopcntdq"},
        16,
        "vnni",
        {("", 1): 14, ("", 2): 12, **TABLE_ROWS, ("t2_t2", 1): 8, ("t2_t2", 2): 6},
    ),
)


def target_of(name: str) -> Target:
    """Return the target called `name`."""
    return next(target for target in TARGETS if target.name == name)


def available() -> tuple[Target, ...]:
    """Return this machine's targets, best last."""
    return tuple(target for target in TARGETS if missing(target.requires) is None)
