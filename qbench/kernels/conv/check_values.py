"""Numbers to compare kernels on: every level of a product, drawn at random or all at an end of their range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.product import F32_F32, Product

VALUES = {
    "t4": np.array([-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 127], np.int8),
    "t1": np.array([-1, 1], np.int8),
}
"""Levels of table products."""


def table_of(product: Product) -> npt.NDArray[np.int8] | None:
    """Return the levels of a table product, None for another."""
    return VALUES[str(product.rhs)] if product.has_table else None


def levels_of(product: Product) -> npt.NDArray[np.int64]:
    """Return the rhs codes of a product, lowest first (levels where it has a table)."""
    table = table_of(product)
    if table is not None:
        return table.astype(np.int64)
    if product.is_binary:
        return np.array([-1, 1])
    if product.is_ternary:
        return np.arange(-1, 2)
    bits = product.rhs.bits
    return np.arange(-(1 << bits - 1), 1 << bits - 1)


def lhs_high(product: Product) -> int:
    """Return the highest lhs code in its container."""
    if product.is_binary or product.is_ternary:
        return 1 + int(product.is_ternary)
    return (1 << product.lhs_planes) - 1 if product.lhs_planes else 255


def operands(
    product: Product, lhs_shape: tuple[int, ...], rhs_shape: tuple[int, ...], values: str, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (lhs codes in the container, NHWC; rhs codes, OHWI), random, or all at an end of their range.

    "bell" are random too, weights of a normal distribution whose 3 standard deviations are the range.
    """
    if product == F32_F32:
        return rng.standard_normal(lhs_shape).astype(np.float32), rng.standard_normal(rhs_shape).astype(np.float32)
    levels, high = levels_of(product), lhs_high(product)
    end = levels[-1] if values == "high" else levels[0]
    random = values in ("random", "bell")
    if values == "bell":
        rhs = np.clip(np.rint(rng.standard_normal(rhs_shape) * levels[-1] / 3), levels[0], levels[-1]).astype(np.int16)
    else:
        rhs = (rng.choice(levels, rhs_shape) if random else np.full(rhs_shape, end)).astype(np.int16)
    if product.is_float:
        return rng.standard_normal(lhs_shape).astype(np.float32), rhs
    lhs = rng.integers(0, high + 1, lhs_shape) if random else np.full(lhs_shape, high)
    return lhs.astype(np.uint8), rhs
