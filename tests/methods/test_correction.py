"""What corrections put back: the spread of a slice, and the mean of a channel; both laws, not examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QTensor
from qbench.methods.correction import bias_shift, variance_corrected
from qbench.methods.mse import MSE


def normal(*shape: int) -> Floats:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def quantized(weights: Floats, token: str) -> QTensor:
    return MSE.quantize_weights(weights, parse_spec(f"{token}-a32").weights)


@pytest.mark.parametrize("token", ["w3c", "w2c", "wtc", "w3g32"])
def test_the_spread_of_every_slice_is_put_back_and_the_codes_stay(token: str) -> None:
    weights = normal(6, 96)
    before = quantized(weights, token)
    after = variance_corrected(weights, before)
    rows = (6, 96) if token.endswith("c") else (18, 32)
    spread, shrunk, mended = (
        array.reshape(rows).std(axis=1) for array in (weights, before.dequantize(), after.dequantize())
    )
    assert shrunk.mean() < 0.995 * spread.mean()
    np.testing.assert_allclose(mended, spread, rtol=1e-5)
    np.testing.assert_array_equal(after.codes, before.codes)


def test_a_slice_without_spread_keeps_its_scale() -> None:
    weights = normal(3, 32)
    weights[1] = 0
    before = quantized(weights, "w4c")
    after = variance_corrected(weights, before)
    assert after.params.scale[1] == before.params.scale[1]
    assert np.isfinite(after.params.scale).all()


def test_the_bias_shift_is_the_mean_of_what_rounding_adds_to_the_output() -> None:
    weights, inputs = normal(5, 24), np.abs(normal(1000, 24)) + np.linspace(0, 1, 24, dtype=np.float32)
    codes = quantized(weights, "w2c")
    shift = bias_shift(weights, codes, inputs.mean(axis=0, dtype=np.float64)[None])
    added = (inputs @ codes.dequantize().T - inputs @ weights.T).mean(axis=0)
    np.testing.assert_allclose(shift, added, rtol=1e-3, atol=1e-4)


def test_channels_of_a_grouped_layer_see_the_means_of_their_own_group() -> None:
    weights, means = normal(4, 9), np.stack([np.zeros(9), np.ones(9)])
    codes = quantized(weights, "w2c")
    error = codes.dequantize().astype(np.float64) - weights
    np.testing.assert_allclose(bias_shift(weights, codes, means), [0, 0, *error[2:].sum(axis=1)])


def test_exact_codes_need_no_correction() -> None:
    codes = quantized(normal(4, 32), "w4c")
    exact = codes.dequantize()
    same = QTensor(codes.codes, replace(codes.params))
    np.testing.assert_allclose(variance_corrected(exact, same).params.scale, codes.params.scale, rtol=1e-6)
    assert not bias_shift(exact, same, np.ones((1, 32))).any()
