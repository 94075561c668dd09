"""Matrix products against their law."""

from __future__ import annotations

import numpy as np

from qbench.kernels.conv.check import VALUES
from qbench.kernels.gemm.operation import Gemm
from qbench.kernels.gemm.reference import gemm_s32

PRODUCTS = ("u8_s8", "u8_t4", "u8_t2", "u8_t1", "b1_b1", "t2_t2")
SIZES = ((1, 16, 16), (2, 64, 7), (3, 32, 33), (13, 128, 65), (15, 96, 16), (29, 160, 31), (63, 64, 129), (7, 2, 5))
LHS_HIGH = {"b1_b1": 1, "t2_t2": 2}
LEVELS = {"b1_b1": np.array([-1, 1]), "t2_t2": np.array([-1, 0, 1]), "u8_s8": np.arange(-128, 128)}


def check_gemm(product: str, variant: str, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''; sizes are (m, k, n)."""
    rng = np.random.default_rng(3)
    levels, high = LEVELS.get(product, VALUES.get(product)), LHS_HIGH.get(product, 255)
    assert levels is not None
    count = 0
    for m, k, n in sizes:
        if product == "u8_t1" and k % 8:
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
            table = VALUES.get(product)
            gemm = Gemm(rhs if table is None else np.searchsorted(table, rhs), product, variant=variant, values=table)
            codes = lhs.astype(np.int64) * (2 if product == "b1_b1" else 1) - (1 if product in LHS_HIGH else 0)
            if not np.array_equal(gemm.run(lhs), gemm_s32(codes, rhs)):
                return count, f"m={m} k={k} n={n} {kind}"
    return count, ""
