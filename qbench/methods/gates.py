"""Figures that need no data: what the least squared error of N(0, 1) is on each grid, and what methods make of it.

10**6 seeded samples must land within 0.5 % of the known optimum, and ranges by rule must come out worse. They are
stratified (one from each 10**-6 of the distribution), or chance alone would err by 2 % at 8 bits, where a tenth of the
error comes from 85 samples. For the same reason 8 bits are scored by the integral at the step found.

`qbench verify methods` prints them. Sources: Max 1960 and Lloyd 1982 for the optima; Li and Liu 2016 for the rule of
ternary weights; Rastegari et al. 2016 for binary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from qbench.core.formats import Ternary
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QTensor
from qbench.methods import METHODS
from qbench.methods.fitting.grids import Grid, best_step, grid_error
from qbench.methods.method import Method

COUNT = 10**6
WITHIN = 0.005
"""Relative."""
_DB_SLACK = -10 * np.log10(1 - WITHIN)

GRIDS: dict[str, tuple[Callable[[int], Grid], dict[int, tuple[float, float, float]]]] = {
    "mid-rise": (
        Grid.mid_rise,
        {
            1: (1.5958, 0.363380, 4.40), 2: (0.9957, 0.118846, 9.25), 3: (0.5860, 0.037440, 14.27),
            4: (0.3352, 0.011543, 19.38), 5: (0.1881, 0.003495, 24.57), 6: (0.1041, 0.001040, 29.83),
            7: (0.0569, 0.000304, 35.17), 8: (0.0308, 0.000088, 40.57),
        },
    ),
    "full": (
        Grid.full,
        {
            2: (1.0484, 0.149431, 8.26), 3: (0.6018, 0.040638, 13.91), 4: (0.3386, 0.011864, 19.26),
            5: (0.1888, 0.003526, 24.53), 6: (0.1042, 0.001043, 29.82), 7: (0.0569, 0.000305, 35.16),
            8: (0.0308, 0.000088, 40.57),
        },
    ),
    "narrow": (
        Grid.narrow,
        {
            2: (1.2240, 0.190174, 7.21), 3: (0.6508, 0.046860, 13.29), 4: (0.3534, 0.012889, 18.90),
            5: (0.1932, 0.003693, 24.33), 6: (0.1055, 0.001069, 29.71), 7: (0.0573, 0.000309, 35.11),
            8: (0.0309, 0.000088, 40.54),
        },
    ),
}  # fmt: skip
"""Grid -> its maker, and by bits the best step, the mean squared error and the signal-to-noise ratio in dB."""
LLOYD_MAX = {
    1: (0.363380, 4.40), 2: (0.117482, 9.30), 3: (0.034548, 14.62), 4: (0.009501, 20.22), 5: (0.002505, 26.01),
}  # fmt: skip
_BY_RULE = ("minmax", "percentile")


@dataclass(frozen=True, slots=True)
class Gate:
    """One figure.

    Args:
        what: the quantizer, its bits and the figure.
        expected: what is known.
        found: what came.
        slack: by how much they may differ; 0 where `found` must be above `expected`.
    """

    what: str
    expected: float
    found: float
    slack: float

    @property
    def holds(self) -> bool:
        """Whether the figure came out as known, or on the right side of it."""
        if not self.slack:
            return self.found > self.expected
        return abs(self.found - self.expected) <= self.slack


def normal_samples(count: int = COUNT, *, seed: int = 2) -> Floats:
    """Return stratified samples of N(0, 1), float32 (1, count)."""
    drawn = (np.arange(count) + np.random.default_rng(seed).random(count)) / count
    return np.asarray(ndtri(drawn), dtype=np.float32)[None]


def gates() -> Iterator[Gate]:
    """Yield every figure, computed one after the other: about 20 s in all."""
    samples = normal_samples()
    for name, (make, table) in GRIDS.items():
        for bits, row in table.items():
            yield from _grid(samples, f"{name} grid, {bits} bits", make(bits), row)
    for bits, (error, ratio_db) in LLOYD_MAX.items():
        yield from _error(f"kmeans, {bits} bits", error, ratio_db, mean_squared_error(samples, "kmeans", bits))
    yield from _ternary(samples)
    binary = made(samples, "binary", 1)
    yield _relative("binary: scale", 0.7979, float(binary.params.scale))
    yield _relative("binary: mean squared error", 0.363380, squared(samples, binary))
    for bits, ratio_db in ((3, 13.23), (4, 14.23)):
        yield _db(f"pot, {bits} bits: dB", ratio_db, decibels(mean_squared_error(samples, "pot", bits)))
    for bits in (2, 4, 8):
        best = mean_squared_error(samples, "mse", bits)
        for name in _BY_RULE:
            found = mean_squared_error(samples, name, bits)
            yield Gate(f"{name}, {bits} bits: mean squared error, above the optimum of mse", best, found, 0.0)


def _grid(samples: Floats, what: str, grid: Grid, row: tuple[float, float, float]) -> Iterator[Gate]:
    """Yield the figures of the best step on a grid."""
    found = best_step(samples, grid)
    yield _relative(f"{what}: step", row[0], float(found[0]), digits=4)
    eight = grid.high - grid.low > 250
    error = exact_error(float(found[0]), grid) if eight else float(grid_error(samples, found, grid)[0]) / samples.size
    yield from _error(what, row[1], row[2], error)


def _error(what: str, error: float, ratio_db: float, found: float) -> Iterator[Gate]:
    yield _relative(f"{what}: mean squared error", error, found)
    yield _db(f"{what}: dB", ratio_db, decibels(found))


def _ternary(samples: Floats) -> Iterator[Gate]:
    """Yield the figures of ternary weights: the optimum, and the rule."""
    spec = QuantSpec(Ternary(), PerTensor())
    rows = (("mse", "optimum", 0.6120, 1.2240, 0.190174), ("ternary", "rule", 0.5585, 1.1842, 0.191625))
    for name, what, threshold, scale, error in rows:
        found = METHODS.part(name).quantize_weights(samples, spec)
        yield _relative(f"ternary {what}: threshold", threshold, float(np.abs(samples)[found.codes != 0].min()))
        yield _relative(f"ternary {what}: scale", scale, float(found.params.scale))
        yield _relative(f"ternary {what}: mean squared error", error, squared(samples, found))
        if what == "rule":
            yield _relative("ternary rule: share of zeros", 0.4235, float(np.mean(found.codes == 0)))


def _relative(what: str, expected: float, found: float, *, digits: int = 6) -> Gate:
    """Return a gate of 0.5 %, and of half of the last digit that is published."""
    return Gate(what, expected, found, max(WITHIN * expected, 0.5 * 10.0**-digits))


def _db(what: str, expected: float, found: float) -> Gate:
    return Gate(what, expected, found, _DB_SLACK + 0.005)


def made(samples: Floats, name: str, bits: int) -> QTensor:
    """Return what a method makes of samples at a width, one scale for all."""
    method: Method = METHODS.part(name)
    return method.quantize_weights(samples, QuantSpec(method.weight_format(bits), PerTensor()))


def squared(samples: Floats, found: QTensor) -> float:
    """Return the mean squared error of codes."""
    return float(np.mean((found.dequantize().astype(np.float64) - samples) ** 2))


def mean_squared_error(samples: Floats, name: str, bits: int) -> float:
    """Return the mean squared error of a method at a width."""
    return squared(samples, made(samples, name, bits))


def decibels(error: float) -> float:
    """Return the signal-to-noise ratio of an error in N(0, 1)."""
    return float(-10 * np.log10(error))


def exact_error(step: float, grid: Grid) -> float:
    """Return the mean squared error of N(0, 1) on a grid, by integration."""
    levels = step * np.arange(grid.low, grid.high + 1)
    edges = np.concatenate(([-np.inf], 0.5 * (levels[1:] + levels[:-1]), [np.inf]))
    density = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
    finite = np.where(np.isfinite(edges), edges, 0.0)
    mass, first = np.diff(ndtr(edges)), -np.diff(density)
    second = mass - np.diff(finite * density)
    return float(np.sum(second - 2 * levels * first + levels**2 * mass))
