"""Known optima of N(0, 1) that need no data: 10**6 samples must land within 0.5 % of the published figures.

The samples are stratified (one from each 10**-6 of the distribution), or chance alone would err by 2 % at 8 bits, where
a tenth of the error comes from 85 samples. For the same reason 8 bits are scored by the exact integral at the step
found.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from qbench.core.formats import Ternary
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats
from qbench.methods import METHODS
from qbench.methods.fitting.grids import Grid, best_step, grid_error

COUNT = 10**6
WITHIN = 0.005

# grid -> bits -> step, mean squared error, signal-to-noise ratio in dB
OPTIMA = {
    "mid_rise": {
        1: (1.5958, 0.363380, 4.40),
        2: (0.9957, 0.118846, 9.25),
        3: (0.5860, 0.037440, 14.27),
        4: (0.3352, 0.011543, 19.38),
        5: (0.1881, 0.003495, 24.57),
        6: (0.1041, 0.001040, 29.83),
        7: (0.0569, 0.000304, 35.17),
        8: (0.0308, 0.000088, 40.57),
    },
    "full": {
        2: (1.0484, 0.149431, 8.26),
        3: (0.6018, 0.040638, 13.91),
        4: (0.3386, 0.011864, 19.26),
        5: (0.1888, 0.003526, 24.53),
        6: (0.1042, 0.001043, 29.82),
        7: (0.0569, 0.000305, 35.16),
        8: (0.0308, 0.000088, 40.57),
    },
    "narrow": {
        2: (1.2240, 0.190174, 7.21),
        3: (0.6508, 0.046860, 13.29),
        4: (0.3534, 0.012889, 18.90),
        5: (0.1932, 0.003693, 24.33),
        6: (0.1055, 0.001069, 29.71),
        7: (0.0573, 0.000309, 35.11),
        8: (0.0309, 0.000088, 40.54),
    },
}
CASES = [(name, bits) for name, table in OPTIMA.items() for bits in table]
LLOYD_MAX = {1: 0.363380, 2: 0.117482, 3: 0.034548, 4: 0.009501, 5: 0.002505}


@pytest.fixture(scope="module")
def normal() -> Floats:
    drawn = (np.arange(COUNT) + np.random.default_rng(2).random(COUNT)) / COUNT
    return np.asarray(ndtri(drawn), dtype=np.float32)[None]


def mean_squared_error(weights: Floats, method: str, bits: int) -> float:
    part = METHODS.load(method)
    quantized = part.quantize_weights(weights, QuantSpec(part.weight_format(bits), PerTensor()))
    return float(np.mean((quantized.dequantize().astype(np.float64) - weights) ** 2))


def decibels(error: float) -> float:
    return float(-10 * np.log10(error))


def exact_error(step: float, grid: Grid) -> float:
    """The mean squared error of N(0, 1) on a grid, by integration."""
    levels = step * np.arange(grid.low, grid.high + 1)
    edges = np.concatenate(([-np.inf], 0.5 * (levels[1:] + levels[:-1]), [np.inf]))
    density = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
    finite = np.where(np.isfinite(edges), edges, 0.0)
    mass, first = np.diff(ndtr(edges)), -np.diff(density)
    second = mass - np.diff(finite * density)
    return float(np.sum(second - 2 * levels * first + levels**2 * mass))


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_the_best_step_is_the_known_optimum(normal: Floats, name: str, bits: int) -> None:
    step, error, ratio_db = OPTIMA[name][bits]
    grid: Grid = getattr(Grid, name)(bits)
    found = best_step(normal, grid)
    assert found[0] == pytest.approx(step, rel=WITHIN)
    assert decibels(exact_error(float(found[0]), grid)) == pytest.approx(ratio_db, abs=decibels(1 - WITHIN) + 0.005)
    if bits < 8:
        sampled = grid_error(normal, found, grid)[0] / COUNT
        assert sampled == pytest.approx(error, rel=WITHIN, abs=0.5e-6)


@pytest.mark.parametrize("bits", LLOYD_MAX)
def test_kmeans_is_lloyd_max(normal: Floats, bits: int) -> None:
    assert mean_squared_error(normal, "kmeans", bits) == pytest.approx(LLOYD_MAX[bits], rel=WITHIN)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_mse_meets_the_optimum_and_ranges_by_rule_are_worse(normal: Floats, bits: int) -> None:
    best = mean_squared_error(normal, "mse", bits)
    assert decibels(best) == pytest.approx(OPTIMA["narrow" if bits == 8 else "full"][bits][2], abs=0.03)
    for method in ("minmax", "absmax", "percentile", "kl"):
        assert mean_squared_error(normal, method, bits) > best


def test_mse_at_one_bit_is_the_mid_rise_optimum(normal: Floats) -> None:
    assert mean_squared_error(normal, "mse", 1) == pytest.approx(0.363380, rel=WITHIN)


def test_ternary_by_its_rule_has_the_known_figures(normal: Floats) -> None:
    quantized = METHODS.load("ternary").quantize_weights(normal, QuantSpec(Ternary(), PerTensor()))
    kept = np.abs(normal)[quantized.codes != 0]
    assert kept.min() == pytest.approx(0.5585, rel=WITHIN)
    assert float(quantized.params.scale) == pytest.approx(1.1842, rel=WITHIN)
    assert np.mean(quantized.codes == 0) == pytest.approx(0.4235, rel=WITHIN)
    assert mean_squared_error(normal, "ternary", 2) == pytest.approx(0.191625, rel=WITHIN)


def test_ternary_by_mse_is_the_optimum(normal: Floats) -> None:
    quantized = METHODS.load("mse").quantize_weights(normal, QuantSpec(Ternary(), PerTensor()))
    assert np.abs(normal)[quantized.codes != 0].min() == pytest.approx(0.6120, rel=WITHIN)
    assert float(quantized.params.scale) == pytest.approx(1.2240, rel=WITHIN)
    assert np.mean((quantized.dequantize() - normal) ** 2) == pytest.approx(0.190174, rel=WITHIN)


def test_binary_has_the_known_scale_and_error(normal: Floats) -> None:
    part = METHODS.load("binary")
    quantized = part.quantize_weights(normal, QuantSpec(part.weight_format(1), PerTensor()))
    assert float(quantized.params.scale) == pytest.approx(0.7979, rel=WITHIN)
    assert mean_squared_error(normal, "binary", 1) == pytest.approx(0.363380, rel=WITHIN)


def test_powers_of_two_stop_gaining_after_three_bits(normal: Floats) -> None:
    found = {bits: decibels(mean_squared_error(normal, "pot", bits)) for bits in (3, 4, 8)}
    assert found[3] == pytest.approx(13.23, abs=0.02)
    assert found[4] == pytest.approx(14.23, abs=0.02)
    assert found[8] - found[4] < 0.05


def test_a_full_scale_uniform_signal_gains_six_decibels_a_bit() -> None:
    signal = ((np.arange(COUNT) + 0.5) / COUNT * 2 - 1).astype(np.float32)
    signal = np.random.default_rng(0).permutation(signal)[None]
    power = float(np.mean(signal**2))
    for bits in range(1, 9):
        step = best_step(signal, Grid.mid_rise(bits))
        error = float(grid_error(signal, step, Grid.mid_rise(bits))[0]) / COUNT
        assert decibels(error / power) == pytest.approx(6.0206 * bits, abs=0.02)
        assert np.sqrt(error) == pytest.approx(float(step[0]) / np.sqrt(12), rel=WITHIN)


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_floor_is_six_decibels_worse_than_rounding(bits: int) -> None:
    signal = (np.random.default_rng(1).random((1, COUNT)) * 2 - 1).astype(np.float32)
    floor = mean_squared_error(signal, "linear_floor", bits)
    quantized = METHODS.load("linear_floor")
    spec = QuantSpec(quantized.weight_format(bits), PerTensor())
    params = quantized.quantize_weights(signal, spec).params
    step, zero_point = float(params.scale), float(params.zero_point)
    nearest = (np.clip(np.rint(signal / step + zero_point), 0, 2**bits - 1) - zero_point) * step
    assert decibels(float(np.mean((nearest - signal) ** 2))) - decibels(floor) == pytest.approx(6.02, abs=0.05)
