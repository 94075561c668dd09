"""Corrections on a network: means of windows are those of the real ones, and 3-bit weights gain from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.core.trial import Trial
from qbench.engine import build_session
from qbench.graph import Conv, Linear, depth_weights
from qbench.kernels.conv.reference import Window, conv_f32
from qbench.metrics import accuracy
from qbench.quantization import Observations
from qbench.quantization.windows import mean_window
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.score import all_logits
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.suite import Suite, load_suite
from tests.runner.conftest import small_network


def numbers(*shape: int) -> Floats:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "dilations"),
    [
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
        ((3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((3, 3), (2, 2), (0, 0, 1, 1), (1, 1)),
        ((5, 3), (2, 1), (2, 3, 1, 0), (1, 2)),
        ((3, 3), (3, 2), (4, 4, 4, 4), (2, 1)),
    ],
)
def test_the_mean_window_gives_the_mean_output(
    kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int], dilations: tuple[int, int]
) -> None:
    layer = Conv("c", "x", "c", numbers(6, 4, *kernel), numbers(6), strides, pads, dilations)
    images = numbers(8, 11, 13, 4) + 1
    window = Window(kernel, strides, pads, dilations)
    wanted = conv_f32(images, layer.weight.transpose(0, 2, 3, 1), window).mean(axis=(0, 1, 2))
    means = mean_window(layer, images.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(depth_weights(layer) @ means[0], wanted, rtol=1e-4, atol=1e-4)


def test_the_mean_window_of_a_grouped_convolution_is_one_a_group() -> None:
    layer = Conv("c", "x", "c", numbers(6, 2, 1, 1), numbers(6), groups=3)
    means = mean_window(layer, np.arange(6.0).reshape(1, 1, 6))
    np.testing.assert_array_equal(means, [[0, 1], [2, 3], [4, 5]])


def test_a_flattened_input_is_channel_slowest() -> None:
    layer = Linear("l", "x", "l", numbers(2, 8), numbers(2))
    np.testing.assert_array_equal(mean_window(layer, np.arange(8.0).reshape(2, 2, 2)), [[0, 2, 4, 6, 1, 3, 5, 7]])


def test_a_layer_of_tokens_sees_their_mean() -> None:
    layer = Linear("l", "x", "l", numbers(2, 4), numbers(2))
    np.testing.assert_array_equal(mean_window(layer, np.arange(12.0).reshape(1, 3, 4)), [[4, 5, 6, 7]])


def test_a_bias_correction_puts_the_mean_of_each_channel_back(bench: Bench) -> None:
    trial = Trial("s", "m", "d", "first", "w2c-a32", "mse", calibration=16, correction="bias")
    made = bench.quantized(trial, Phases(Clock()))
    plain, images = bench.network, bench.data.calibration_inputs(16, 0)
    rough = bench.quantized(replace(trial, correction="variance"), Phases(Clock())).network
    assert [node.bias is other.bias for node, other in zip(plain.layers, rough.layers, strict=True)] == [True] * 3

    def mean_of_first(weights: Floats, bias: Floats) -> Floats:
        window = Window((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))
        out = conv_f32(images.transpose(0, 2, 3, 1), weights.reshape(16, 3, 3, 3), window) + bias
        return np.asarray(out.mean(axis=(0, 1, 2)))

    wanted = mean_of_first(depth_weights(plain.layers[0]), plain.layers[0].bias)
    codes = made.weights["first"].dequantize()
    off = np.abs(mean_of_first(codes, plain.layers[0].bias) - wanted).max()
    assert np.abs(mean_of_first(codes, made.network.layers[0].bias) - wanted).max() < 1e-4 < 0.01 * off


def test_means_are_those_of_all_images_together() -> None:
    network, images = small_network(), np.random.default_rng(0).random((70, 3, 8, 8), np.float32)
    found = Observations(network, lambda: images, threads=2).means()
    np.testing.assert_allclose(found["images"], images.mean(axis=0).transpose(1, 2, 0), rtol=1e-5)
    assert set(found) >= {"images", "first", "second", "pooled"}


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    path = tmp_path_factory.mktemp("correction") / "resnet20.yaml"
    path.write_text(
        "name: r\nmodel: resnet20\ndata: cifar10-shard\nsweeps:\n  - {name: s, spec: w3c-a8t, method: mse}\n"
    )
    suite: Suite = load_suite(path)
    return bench_of(suite)


def top1(bench: Bench, correction: str) -> float:
    trial = Trial("s", "resnet20", "cifar10-shard", "all", "w3c-a8t", "mse", correction=correction)
    made = bench.quantized(trial, Phases(Clock()))
    with build_session(made, threads=1) as session:
        assert session.execution == "integer"
        return 100 * float(accuracy.correct(all_logits(session, bench.inputs), bench.data.labels).mean())


def test_three_bit_weights_of_resnet20_gain_from_each_correction_and_most_from_both(resnet20: Bench) -> None:
    plain, variance, bias, both = (top1(resnet20, correction) for correction in ("", "variance", "bias", "both"))
    assert variance > plain + 5
    assert bias > plain + 20
    assert both > bias + 2
    assert both > 84
