"""Squared errors of a histogram on many grids of equal steps: what a search for a range asks for; see `reference`.

Units are grids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64

from qbench.kernels.jit import jit


@jit
def _below(values: Any, starts: Any, reach: Any, number: float) -> int:
    """Return how many of the ascending values are below a number: a guess, put right one by one."""
    last = starts.size - 1
    place = (number - reach[0]) * reach[1]
    found: int = starts[int64(min(max(place, 0.0), np.float64(last)))]
    while found < values.size and values[found] < number:
        found += 1
    while found > 0 and values[found - 1] >= number:
        found -= 1
    return found


@jit
def _block(terms: Any, first: int, end: int) -> float:
    """Return the sum of up to 128 terms, in eight lanes as NumPy adds them."""
    total: float = 0.0
    if end - first < 8:
        for i in range(first, end):
            total += terms[i]
        return total
    whole = end - (end - first) % 8
    a, b, c, d = terms[first], terms[first + 1], terms[first + 2], terms[first + 3]
    p, q, r, s = terms[first + 4], terms[first + 5], terms[first + 6], terms[first + 7]
    for i in range(first + 8, whole, 8):
        a, b, c, d = a + terms[i], b + terms[i + 1], c + terms[i + 2], d + terms[i + 3]
        p, q, r, s = p + terms[i + 4], q + terms[i + 5], r + terms[i + 6], s + terms[i + 7]
    total = ((a + b) + (c + d)) + ((p + q) + (r + s))
    for i in range(whole, end):
        total += terms[i]
    return total


@jit
def grid_errors_f64(
    begin: int, end: int, grids: Any, values: Any, sums: Any, starts: Any, reach: Any, terms: Any, out: Any
) -> None:
    """Write the sum of squared errors when each value becomes the nearest level of a grid.

    Args:
        begin: first grid.
        end: grid after the last.
        grids: float64 (n, 2): step and zero point; level i of `terms.size` is (i - zero point) * step.
        values: float64 (m,), ascending.
        sums: float64 (3, m + 1): running sums of how often each value is, of that times the value, times its square.
        starts: int64: how many values lie below each of some numbers with equal distances.
        reach: float64 (2,): the first of these numbers, and 1 / their distance.
        terms: float64 (levels,), at most 256: room.
        out: float64 (n,).
    """
    levels = terms.size
    for grid in range(begin, end):
        step, zero = grids[grid, 0], grids[grid, 1]
        left, cut, level = 0, 0, (0.0 - zero) * step
        for i in range(levels):
            following = (np.float64(i + 1) - zero) * step
            cut = _below(values, starts, reach, 0.5 * (following + level)) if i + 1 < levels else values.size
            mass, first, second = (
                sums[0, cut] - sums[0, left], sums[1, cut] - sums[1, left], sums[2, cut] - sums[2, left],
            )  # fmt: skip
            terms[i] = second - 2.0 * level * first + level * level * mass
            left, level = cut, following
        half = levels // 2 - levels // 2 % 8 if levels > 128 else 0
        total = _block(terms, half, levels)
        out[grid] = _block(terms, 0, half) + total if half else total
