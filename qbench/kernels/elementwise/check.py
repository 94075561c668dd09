"""Operations between layers against their law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.elementwise import floats, portable, reference
from qbench.kernels.elementwise.functions import FUNCTIONS

SIZES = ((1, 5, 7, 16), (2, 1, 1, 3), (1, 8, 8, 33))
GUARD = 77


def _holds(out: npt.NDArray[np.uint8], want: npt.NDArray[np.uint8]) -> bool:
    """Whether a buffer begins with the wanted codes on every axis, and holds guards beside them."""
    expected = np.full_like(out, GUARD)
    n, h, w, c = want.shape
    expected[:n, :h, :w, :c] = want
    return np.array_equal(out, expected)


def check_add(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of add_u8_u8_u8."""
    rng, count = np.random.default_rng(0), 0
    for n, h, w, c in SIZES:
        for floor in (False, True):
            count += 1
            a, b = (rng.integers(0, 256, (n, h + 1, w + 2, c)).astype(np.uint8) for _ in range(2))
            out = np.full((n, h + 1, w + 2, c + 3), GUARD, np.uint8)
            numbers = tuple(np.float32(v) for v in (0.61, 0.27, -3.4))
            limits = (np.float32(2), np.float32(240))
            portable.add_u8_u8_u8(0, n * h, a, b, out, (h, w, c), ((1, 1), (0, 2), (0, 0)), numbers, limits, floor)
            inner = a[:, 1:, 1:-1], b[:, :-1, 2:]
            want = reference.add_u8_u8_u8(*inner, 0.61, 0.27, -3.4, 2, 240, floor=floor)
            if not _holds(out, want):
                return count, f"{(n, h, w, c)} floor={floor}"
    return count, ""


def check_curves(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of unary_f32_f32's exponentials, ends and what is no number included.

    Float64's rounding to float32 hides the last bits of both sides.
    """
    rng = np.random.default_rng(0)
    ends = [0.0, -0.0, 1e-30, -1e-5, 0.00999, -0.01001, 88.7, 88.8, -103.0, -104.0, np.inf, -np.inf, np.nan]
    x = np.concatenate([ends, 10.0 ** rng.uniform(-9, 3, 200) * rng.choice([-1, 1], 200)]).astype(np.float32)
    for count, name in enumerate(reference.EXPONENTIALS, 1):
        out, size = np.full((1, 1, 1, x.size + 1), GUARD, np.float32), (1, 1, x.size)
        parameters = np.float32(1.5), np.float32(0)
        floats.unary_f32_f32(0, 1, x[None, None, None], out, size, ((0, 0), (0, 0)), FUNCTIONS.index(name), parameters)
        want = reference.exponential_f32_f32(name, x, 1.5)
        if not np.array_equal(out[0, 0, 0, :-1], want, equal_nan=True) or out[0, 0, 0, -1] != GUARD:
            return count, name
    return len(reference.EXPONENTIALS), ""


def check_table(variant: str = "portable") -> tuple[int, str]:
    """Return comparisons and the first mismatch of table_u8_u8."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, 256).astype(np.uint8)
    for count, (n, h, w, c) in enumerate(SIZES, 1):
        a = rng.integers(0, 256, (n, h, w, c)).astype(np.uint8)
        out = np.full((n, h + 1, w + 2, c + 3), GUARD, np.uint8)
        portable.table_u8_u8(0, n * h, a, out, (h, w, c), ((0, 0), (0, 0)), table)
        if not _holds(out, reference.table_u8_u8(a, table)):
            return count, f"{(n, h, w, c)}"
    return len(SIZES), ""
