"""GPTQ: each layer's output is nearer to the float one than after rounding to nearest, and so is the network's."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.graph import Conv, Linear, QuantizedNetwork, depth_weights, read_onnx
from qbench.methods import METHODS, dequantize, method_spec
from qbench.metrics.paired import drop
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization.gptq import rounded
from qbench.quantization.windows import rows_of
from qbench.zoo import load_data, model_path
from tests.runner.conftest import small_network


def correlated(rows: int, depth: int) -> Floats:
    """Return inputs whose columns hang together, as a network's do."""
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((depth, depth)) * 0.5 + np.eye(depth)
    return (generator.standard_normal((rows, depth)) @ mixing).astype(np.float32)


def gram_of(x: Floats, groups: int = 1) -> np.ndarray:
    parts = x.reshape(len(x), groups, -1).astype(np.float64)
    return np.asarray(np.einsum("ngi,ngj->gij", parts, parts) / len(x))


@pytest.mark.parametrize("token", ["w4c-a32", "w3t-a32", "w2g16-a32", "w4logc-a32", "wtc-a32", "wbc-a32"])
def test_the_output_error_is_smaller_than_after_rounding_to_nearest(token: str) -> None:
    method = METHODS.part(
        {"log": "log", "t": "ternary", "b": "binary"}.get(token[2:5] if "log" in token else token[1], "mse")
    )
    spec = method_spec(method, parse_spec(token)).weights
    weights = np.random.default_rng(1).standard_normal((24, 64)).astype(np.float32)
    x = correlated(4096, 64)
    nearest = method.quantize_weights(weights, spec)
    found = rounded(weights, nearest.params, gram_of(x))
    before, after = (np.square(x @ (dequantize(t.codes, t.params) - weights).T).sum() for t in (nearest, found))
    assert after < 0.8 * before
    assert found.params is nearest.params


def test_without_correlation_columns_are_rounded_to_nearest() -> None:
    method = METHODS.part("mse")
    spec = method_spec(method, parse_spec("w4c-a32")).weights
    weights = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    nearest = method.quantize_weights(weights, spec)
    found = rounded(weights, nearest.params, np.eye(32)[None])
    np.testing.assert_array_equal(found.codes, nearest.codes)


def test_inputs_that_are_always_zero_are_rounded_to_nearest() -> None:
    method = METHODS.part("mse")
    spec = method_spec(method, parse_spec("w3c-a32")).weights
    weights = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    x = correlated(512, 32)
    x[:, 5:9] = 0
    nearest = method.quantize_weights(weights, spec)
    found = rounded(weights, nearest.params, gram_of(x))
    np.testing.assert_array_equal(found.codes[:, 5:9], nearest.codes[:, 5:9])


def test_the_groups_of_a_grouped_convolution_see_their_own_inputs() -> None:
    method = METHODS.part("mse")
    spec = method_spec(method, parse_spec("w3c-a32")).weights
    weights = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32)
    x = correlated(512, 32)
    grams = gram_of(x, groups=2)
    nearest = method.quantize_weights(weights, spec)
    whole = rounded(weights, nearest.params, grams)
    for group in range(2):
        part = slice(4 * group, 4 * group + 4)
        alone = method.quantize_weights(weights[part], spec)
        np.testing.assert_array_equal(
            whole.codes[part], rounded(weights[part], alone.params, grams[group : group + 1]).codes
        )


@pytest.mark.parametrize("groups", [1, 2])
def test_rows_times_weights_are_the_layers_output(groups: int) -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((6, 4 // groups, 3, 3)).astype(np.float32)
    layer = Conv("c", "x", "c", weight, np.zeros(6, np.float32), (2, 1), (1, 0, 2, 1), (1, 2), groups)
    x = generator.standard_normal((2, 9, 11, 4)).astype(np.float32)
    rows = rows_of(layer, x, 1 << 20)
    flat = depth_weights(layer).reshape(groups, 6 // groups, -1)
    found = np.concatenate([rows[g] @ flat[g].T for g in range(groups)], axis=1)
    padded = np.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))).transpose(0, 3, 1, 2)
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 5), axis=(2, 3))[:, :, ::2, :, :, ::2]
    parts = np.split(taps, groups, axis=1)
    split = np.split(weight, groups)
    wanted = np.concatenate([np.einsum("nchwyx,ocyx->nhwo", p, w) for p, w in zip(parts, split, strict=True)], axis=3)
    np.testing.assert_allclose(found, wanted.reshape(-1, 6), rtol=1e-4, atol=1e-4)


def test_of_many_rows_every_nth_is_taken_so_that_every_column_comes() -> None:
    layer = Conv("c", "x", "c", np.ones((1, 2, 1, 1), np.float32), np.zeros(1, np.float32))
    x = np.arange(2 * 6 * 6 * 2, dtype=np.float32).reshape(2, 6, 6, 2)
    np.testing.assert_array_equal(rows_of(layer, x, 10)[0], x.reshape(2, 36, 2)[:, ::5].reshape(-1, 2))


def test_each_layer_sees_what_the_quantized_layers_before_it_give() -> None:
    network = small_network()
    images = np.random.default_rng(0).random((32, 3, 8, 8), np.float32)
    plain = assigned(network, "w2c-a32", method="mse")
    made = parse_recipe("mse+gptq").apply(plain, Observations(network, lambda: images, threads=1))
    first = {"first": made.weights["first"]}
    seen = Observations(QuantizedNetwork(network, first).dequantized(), lambda: images, threads=1)
    second = network.layers[1]
    nearest = parse_recipe("mse").apply(plain, Observations(network, lambda: images, threads=1)).weights["second"]
    np.testing.assert_array_equal(
        made.weights["second"].codes, rounded(depth_weights(second), nearest.params, seen.gram(second)).codes
    )
    assert isinstance(network.layers[2], Linear)


@pytest.mark.slow
def test_four_bit_weights_of_resnet20_lose_less_than_by_rounding_to_nearest() -> None:
    network, data = read_onnx(model_path("resnet20")), load_data("cifar10-shard")
    seen = Observations(network, lambda: data.calibration_inputs(512, 0), threads=2)
    right = []
    for recipe in ("mse", "mse+gptq"):
        made = parse_recipe(recipe).apply(assigned(network, "w4c-a8t", method="mse"), seen)
        with build_session(made, threads=2) as session:
            right.append(session.run(data.inputs(0, 2000)).argmax(axis=1) == data.labels[:2000])
    gained = drop(right[1], right[0])  # of nearest against gptq, paired
    assert gained.low is not None
    assert gained.low > 0
