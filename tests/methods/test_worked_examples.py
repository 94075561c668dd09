"""The worked examples of the definitions that `linear_floor` and `log_floor` follow to the letter."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.formats import Logarithmic
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.errors import QBenchError
from qbench.methods import METHODS
from qbench.methods.linear_floor import linear_codes, linear_reals, linear_step
from qbench.methods.nonlinear import LOGARITHM, Curve, NonLinearFloor


def test_linear_three_quarters_of_zero_to_one_is_code_191() -> None:
    assert linear_step(0, 1, 8) == pytest.approx(1 / 255)
    assert linear_codes(0.75, 0, 1, 8) == 191
    assert round(float(linear_reals(191, 0, 1, 8)), 3) == 0.749


def test_linear_weights_give_the_same_codes_and_reals() -> None:
    weights = np.array([[0.0, 0.75, 1.0]], dtype=np.float32)
    quantized = METHODS.load("linear_floor").quantize_weights(weights, QuantSpec(activation_uniform(8), PerTensor()))
    assert quantized.codes.tolist() == [[0, 191, 255]]
    assert quantized.dequantize()[0, 1] == pytest.approx(0.749, abs=5e-4)


def test_logarithmic_hundred_of_one_to_thousand_is_code_170() -> None:
    assert LOGARITHM.codes(100, 1, 1000, 8) == 170
    assert LOGARITHM.reals(170, 1, 1000, 8) == pytest.approx(100)


def test_logarithmic_weights_give_the_same_codes_and_reals() -> None:
    weights = np.array([[1.0, 100.0, 1000.0]], dtype=np.float32)
    quantized = METHODS.load("log_floor").quantize_weights(weights, QuantSpec(Logarithmic(8), PerTensor()))
    assert quantized.codes.tolist() == [[0, 170, 255]]
    assert quantized.dequantize() == pytest.approx(weights)


@pytest.mark.parametrize("bits", range(1, 9))
def test_linear_floor_follows_its_formula_at_every_width(bits: int) -> None:
    weights = np.random.default_rng(bits).normal(size=(5, 40)).astype(np.float32)
    spec = QuantSpec(activation_uniform(bits), PerChannel())
    quantized = METHODS.load("linear_floor").quantize_weights(weights, spec)
    low, high = (end[:, None].astype(np.float64) for end in (weights.min(axis=1), weights.max(axis=1)))
    step = (high - low) / (2**bits - 1)
    expected = np.floor((weights - low) / step + 1e-9)
    differing = quantized.codes != expected
    near = np.abs((weights - low) / step - quantized.codes) < 2e-3  # the nudge of a 1/1024 step that keeps round trips
    assert not np.any(differing & ~near)
    assert quantized.dequantize() == pytest.approx(quantized.codes * step + low, abs=1e-5)
    assert np.array_equal(quantized.codes.min(axis=1), np.zeros(5))
    assert np.array_equal(quantized.codes.max(axis=1), np.full(5, 2**bits - 1))


@pytest.mark.parametrize("bits", range(2, 9))
def test_log_floor_follows_its_formula_at_every_width(bits: int) -> None:
    weights = np.random.default_rng(bits).lognormal(size=(3, 50)).astype(np.float32)
    quantized = METHODS.load("log_floor").quantize_weights(weights, QuantSpec(Logarithmic(bits), PerTensor()))
    low, high = float(weights.min()), float(weights.max())
    assert np.array_equal(quantized.codes, LOGARITHM.codes(weights, low, high, bits))
    assert quantized.dequantize() == pytest.approx(LOGARITHM.reals(quantized.codes, low, high, bits), rel=1e-6)


@pytest.mark.parametrize(
    "curve",
    [
        LOGARITHM,
        Curve(np.exp, np.log),
        Curve(np.sqrt, np.square),
        Curve(np.square, np.sqrt),
        Curve(lambda x: x, lambda x: x),
    ],
)
def test_any_rising_function_and_its_inverse_can_be_the_curve(curve: Curve) -> None:
    values = np.linspace(0.5, 3.0, 101)
    codes = curve.codes(values, 0.5, 3.0, 6)
    reals = curve.reals(codes, 0.5, 3.0, 6)
    assert codes[0] == 0
    assert codes[-1] == 63
    assert np.all(np.diff(codes) >= 0)
    assert np.all(reals <= values + 1e-6)
    assert np.all(curve.reals(np.minimum(codes + 1, 63), 0.5, 3.0, 6) >= np.minimum(values, 3.0) - 1e-6)
    assert np.array_equal(curve.codes(reals, 0.5, 3.0, 6), codes)


def test_a_straight_curve_is_linear_floor() -> None:
    values = np.random.default_rng(0).uniform(-2, 5, 1000)
    straight = Curve(lambda x: x, lambda x: x)
    assert np.mean(straight.codes(values, -2, 5, 8) != linear_codes(values, -2, 5, 8)) < 0.005  # the nudges differ


def test_a_curve_becomes_a_method_by_its_pair() -> None:
    method = NonLinearFloor("root_floor", Curve(np.sqrt, np.square, positive=True), Logarithmic)
    weights = np.random.default_rng(0).uniform(0.1, 1, (4, 32)).astype(np.float32)
    for granularity in (PerTensor(), PerChannel()):
        quantized = method.quantize_weights(weights, QuantSpec(Logarithmic(6), granularity))
        error = weights - quantized.dequantize()
        assert np.all(error >= -1e-6)
        assert np.abs(error).max() < 0.05


def test_log_floor_refuses_zeros_and_signs_with_the_name_of_the_method_that_takes_them() -> None:
    spec = QuantSpec(Logarithmic(4), PerTensor())
    for worst in (0.0, -0.5):
        with pytest.raises(QBenchError, match=r"^log_floor: needs positive numbers, got .*log_floor_signed") as caught:
            METHODS.load("log_floor").quantize_weights(np.array([[1.0, worst]], dtype=np.float32), spec)
        assert "\n" not in str(caught.value)
