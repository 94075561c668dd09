"""Matrix products against their law."""

from __future__ import annotations

import numpy as np

from qbench.kernels.conv.check_values import levels_of, lhs_high, table_of
from qbench.kernels.gemm.operation import Gemm
from qbench.kernels.gemm.reference import gemm_s32
from qbench.kernels.product import parse_product
from qbench.kernels.variants import PORTABLE, choose

PRODUCTS = (
    "u8_s8", "s8_s8", *(f"u8_s{bits}" for bits in range(7, 0, -1)), "s8_s4", "s8_s2", "u8_t4", "u8_t1",
    "b1_b1", "t2_t2", "p2_p2", "p1_p2", "p4_p1",
)  # fmt: skip
SIZES = ((16, 128, 65), (40, 96, 16), (1, 512, 40), (2, 64, 7), (3, 31, 33), (14, 160, 31), (64, 4096, 3))
LESSER_SIZES = 2


def check_gemm(name: str, variant: str, sizes: tuple[tuple[int, int, int], ...] | None = None) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''; sizes are (m, k, n)."""
    if sizes is None:
        sizes = SIZES if variant in (PORTABLE, choose()) else SIZES[:LESSER_SIZES]
    rng, product = np.random.default_rng(3), parse_product(name)
    levels, high, count = levels_of(product), lhs_high(product), 0
    for m, k, n in sizes:
        if product.lacks_zero and k % 8:
            continue
        for kind in ("random", "high", "low"):
            count += 1
            lhs = (
                rng.integers(0, high + 1, (m, k)).astype(np.uint8)
                if kind == "random"
                else np.full((m, k), high, np.uint8)
            )
            end = levels[0] if kind == "low" else levels[-1]
            rhs = rng.choice(levels, (n, k)).astype(np.int16) if kind == "random" else np.full((n, k), end, np.int16)
            table = table_of(product)
            gemm = Gemm(rhs if table is None else np.searchsorted(table, rhs), name, variant=variant, values=table)
            if not np.array_equal(gemm.run(lhs), gemm_s32(product.meant(lhs), rhs)):
                return count, f"m={m} k={k} n={n} {kind}"
    return count, ""
