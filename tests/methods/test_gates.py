"""Known optima of N(0, 1), as `qbench verify methods` lists them, and laws of uniform signals."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats
from qbench.methods import METHODS
from qbench.methods.fitting.grids import Grid, best_step, grid_error
from qbench.methods.gates import COUNT, WITHIN, Gate, decibels, gates, mean_squared_error, normal_samples


@pytest.fixture(scope="module")
def normal() -> Floats:
    return normal_samples()


def test_every_known_figure_comes_out_as_it_is_known() -> None:
    found = list(gates())
    assert [gate for gate in found if not gate.holds] == []
    assert len(found) > 80
    assert {gate.what.partition(",")[0].partition(":")[0] for gate in found} >= {
        "mid-rise grid", "full grid", "narrow grid", "kmeans", "ternary optimum", "ternary rule", "binary", "pot",
        "minmax", "percentile",
    }  # fmt: skip


def test_a_figure_beyond_its_slack_does_not_hold() -> None:
    assert Gate("step", 1.0, 1.0049, 0.005).holds
    assert not Gate("step", 1.0, 1.0051, 0.005).holds
    assert not Gate("above", 1.0, 1.0, 0.0).holds


@pytest.mark.parametrize("bits", [3, 8])
def test_other_ranges_by_rule_are_worse_than_the_optimum(normal: Floats, bits: int) -> None:
    best = mean_squared_error(normal, "mse", bits)
    for method in ("absmax", "kl"):
        assert mean_squared_error(normal, method, bits) > best


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
