"""Grids of equal steps, and the step that leaves the least squared error of rows of numbers on one.

A grid is the multiples low, low + 1, ... high of a step. Full signed codes are (-2**(b-1), 2**(b-1) - 1), narrow ones
drop the lowest, mid-rise grids have no zero: (0.5 - 2**(b-1), 2**(b-1) - 0.5). Ternary is narrow at 2 bits, binary
mid-rise at 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from qbench.core.formats import Binary, NumberFormat, Ternary, Uniform
from qbench.core.tensor import Floats
from qbench.methods.fitting.slices import Doubles

_COARSE = 2.0 ** (-np.arange(37) / 6.0)  # shares of the covering step: 12 % apart, down to 1/64 for a lone outlier
_FINE = (np.linspace(2 ** (-1 / 6), 2 ** (1 / 6), 9), np.linspace(0.973, 1.027, 9), np.linspace(0.9949, 1.0051, 7))
"""Then 3 % apart, 0.7 %, 0.17 %: at 8 bits a step that is 0.4 % off puts the outermost levels half a step off."""
_BLOCK = 1 << 15  # numbers searched at a time, so that the temporaries stay in a core's cache


@dataclass(frozen=True, slots=True)
class Grid:
    """The multiples low, low + 1, ... high of a step."""

    low: float
    high: float

    @classmethod
    def full(cls, bits: int) -> Self:
        """All signed codes: one more below zero than above."""
        return cls(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)

    @classmethod
    def narrow(cls, bits: int) -> Self:
        """Signed codes without the lowest: as many below zero as above."""
        return cls(1 - 2.0 ** (bits - 1), 2.0 ** (bits - 1) - 1)

    @classmethod
    def mid_rise(cls, bits: int) -> Self:
        """2**bits levels around zero, half a step from it: no level is zero."""
        return cls(0.5 - 2.0 ** (bits - 1), 2.0 ** (bits - 1) - 0.5)

    @classmethod
    def of_weights(cls, number_format: NumberFormat) -> Self:
        """Return the grid of a weight format: a 1-bit one is mid-rise (codes 0, 1 with zero point 0.5)."""
        if isinstance(number_format, Ternary):
            return cls.narrow(2)
        if isinstance(number_format, Binary) or number_format.bits == 1:
            return cls.mid_rise(1)
        if not isinstance(number_format, Uniform):
            raise ValueError(f"{number_format} has no equal steps")
        return cls.narrow(number_format.bits) if number_format.narrow else cls.full(number_format.bits)

    def covering_step(self, rows: Floats) -> Doubles:
        """Return the smallest step of each row at which no number is clipped; 0 for a row of zeros."""
        high, low = rows.max(axis=1).astype(np.float64), rows.min(axis=1).astype(np.float64)
        return np.asarray(np.maximum(np.maximum(high / self.high, low / self.low), 0.0))


def grid_error(rows: Floats, steps: Doubles, grid: Grid) -> Doubles:
    """Return the sum of squared errors of each row on `grid` with its step; float64 (rows,)."""
    step = steps.astype(np.float32)[:, None]
    error = _codes(rows, step, grid)
    error *= step
    error -= rows
    np.square(error, out=error)
    return np.asarray(error.sum(axis=1, dtype=np.float64))


def best_step(rows: Floats, grid: Grid) -> Doubles:
    """Return the step of least squared error of each row of float32 (rows, numbers); 0 for a row of zeros.

    Scans shares of the covering step from 1 down to 1/64, then nearer and nearer round the best, then takes
    least-squares steps for the codes so found while they help. On N(0, 1) it meets the known optima
    (tests/methods/test_gates.py).
    """
    height = max(1, _BLOCK // rows.shape[1])
    blocks = [_best_step(rows[i : i + height], grid) for i in range(0, rows.shape[0], height)]
    return np.concatenate(blocks)


def _codes(rows: Floats, step: Floats, grid: Grid) -> Floats:
    codes = rows * (np.float32(1) / step)
    codes -= np.float32(grid.low)
    np.rint(codes, out=codes)
    np.clip(codes, np.float32(0), np.float32(grid.high - grid.low), out=codes)
    codes += np.float32(grid.low)
    return codes


def _best_step(rows: Floats, grid: Grid) -> Doubles:
    cover = grid.covering_step(rows)
    # in units of the covering step, so that squares of 1e-30 or 1e30 stay inside float32
    unit = (rows / np.where(cover > 0, cover, 1.0)[:, None]).astype(np.float32)
    best = np.ones(len(rows))
    least = grid_error(unit, best, grid)
    for shares in (_COARSE, *_FINE):
        centre = best
        for share in shares:
            step = centre * share
            error = grid_error(unit, step, grid)
            best, least = np.where(error < least, step, best), np.minimum(error, least)
    for _ in range(2):
        codes = _codes(unit, best.astype(np.float32)[:, None], grid)
        power = np.square(codes).sum(axis=1, dtype=np.float64)
        step = (codes * unit).sum(axis=1, dtype=np.float64) / np.where(power > 0, power, 1.0)
        step = np.where(step > 0, step, best)
        error = grid_error(unit, step, grid)
        best, least = np.where(error < least, step, best), np.minimum(error, least)
    return cover * best
