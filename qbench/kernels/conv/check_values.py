"""Numbers to compare kernels on: every level of a product, drawn at random or all at an end of their range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.tiles.products import product_of

VALUES = {
    "t4": np.array([-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64, 127], np.int8),
    "t1": np.array([-1, 1], np.int8),
}
"""Levels of table products."""


def levels_of(product: str) -> npt.NDArray[np.int64]:
    """Return the rhs codes of a product, lowest first (levels where it has a table)."""
    rhs = product.split("_")[1]
    if rhs in VALUES:
        return VALUES[rhs].astype(np.int64)
    if rhs == "b1":
        return np.array([-1, 1])
    if rhs == "t2":
        return np.arange(-1, 2)
    bits = int(rhs[1:])
    return np.arange(-(1 << bits - 1), 1 << bits - 1)


def lhs_high(product: str) -> int:
    """Return the highest lhs code in its container."""
    return {"b": 1, "t": 2, "p": (1 << int(product[1])) - 1 if product[0] == "p" else 0}.get(product[0], 255)


def operands(
    product: str, lhs_shape: tuple[int, ...], rhs_shape: tuple[int, ...], values: str, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (lhs codes in the container, NHWC; rhs codes, OHWI), random, or all at an end of their range.

    "bell" are random too, weights of a normal distribution whose 3 standard deviations are the range.
    """
    is_float = product_of(product).is_float
    if product == "f32_f32":
        return rng.standard_normal(lhs_shape).astype(np.float32), rng.standard_normal(rhs_shape).astype(np.float32)
    levels, high = levels_of(product), lhs_high(product)
    end = levels[-1] if values == "high" else levels[0]
    random = values in ("random", "bell")
    if values == "bell":
        rhs = np.clip(np.rint(rng.standard_normal(rhs_shape) * levels[-1] / 3), levels[0], levels[-1]).astype(np.int16)
    else:
        rhs = (rng.choice(levels, rhs_shape) if random else np.full(rhs_shape, end)).astype(np.int16)
    if is_float:
        return rng.standard_normal(lhs_shape).astype(np.float32), rhs
    lhs = rng.integers(0, high + 1, lhs_shape) if random else np.full(lhs_shape, high)
    return lhs.astype(np.uint8), rhs
