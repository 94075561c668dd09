"""The network in integers: the same numbers on every variant, and those of an independent interpretation."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession, build_session
from qbench.errors import DataError
from qbench.graph import Network, QuantizedNetwork
from qbench.kernels import variants
from qbench.methods import ActivationStats
from qbench.zoo import model_path

from . import oracle
from .conftest import quantized

INTEGER = [
    ("w8c-a8t", "mse"), ("w8t-a8t", "minmax"), ("w4c-a8t", "mse"), ("w4g32-a8t", "mse"), ("w2g32-a4t", "mse"),
    ("w4c-a4t", "linear_floor"), ("w8t-a8t", "linear_floor"), ("wtc-a8t", "ternary"), ("wbc-a8t", "binary"),
    ("wbc-abt", "binary"), ("wtc-att", "ternary"), ("w4potc-a8t", "pot"),
]  # fmt: skip
TABLES = [("w4c-a8t", "apot"), ("w6c-a8t", "apot"), ("w4g32-a8t", "mxfp4"), ("w4g32k-a8t", "nf4")]
"""Levels that are looked up, or are bytes themselves, under one level of scales or two."""


def test_float_session_equals_onnxruntime(network: Network, images: Floats) -> None:
    expected = onnxruntime.InferenceSession(str(model_path("resnet20"))).run(None, {network.input: images})[0]
    assert np.allclose(FloatSession(network).run(images), expected, atol=1e-4)


@pytest.mark.parametrize(("token", "method"), INTEGER + TABLES)
def test_integer_session_equals_the_oracle(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], token: str, method: str
) -> None:
    weights, activations = quantized(network, stats, token, method)
    session = build_session(QuantizedNetwork(network, weights, activations))
    assert session.execution == "integer", session.execution_reason
    got, want = session.run(images), oracle.run(network, weights, activations, images)
    # Codes may differ by one where float32 and float64 round a tie apart; the logits then move a little.
    scale = np.abs(want).max() + 1e-6
    close = np.abs(got - want).max(axis=1) / scale
    assert np.median(close) < 2e-2
    assert np.mean(got.argmax(1) == want.argmax(1)) >= 0.9


@pytest.mark.parametrize(("token", "method"), INTEGER + TABLES)
def test_every_variant_gives_the_same_logits(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], token: str, method: str
) -> None:
    made = QuantizedNetwork(network, *quantized(network, stats, token, method))
    law = build_session(made, variant="portable", threads=1).run(images[:3])
    for name in variants.NAMES[1:]:
        if variants.unavailable(name) is None:
            assert np.array_equal(build_session(made, variant=name).run(images[:3]), law), name


@pytest.mark.parametrize(
    ("token", "method", "execution", "reason"),
    [
        ("w4c-a32", "mse", "dequantized", "activations stay in float32"),
        ("w32-a8t", "mse", "simulated", "weights stay in float32"),
        ("w4kmc-a8t", "kmeans", "simulated", "no whole numbers"),
        ("w4logc-a4logt", "log", "simulated", "levels"),
        ("w8c-a8t", "fp8_e4m3", "simulated", "levels"),
        ("w8g32-a8t", "mxfp8", "simulated", "8-bit e4m3 weights have levels that are no whole numbers"),
    ],
)
def test_what_cannot_run_in_integers_says_so_and_equals_the_oracle(
    network: Network,
    images: Floats,
    stats: Mapping[str, ActivationStats],
    token: str,
    method: str,
    execution: str,
    reason: str,
) -> None:
    weights, activations = quantized(network, stats, token, method)
    session = build_session(QuantizedNetwork(network, weights, activations))
    assert session.execution == execution
    assert reason in session.execution_reason
    want = oracle.run(network, weights, activations, images)
    assert np.median(np.abs(session.run(images) - want).max(axis=1)) / np.abs(want).max() < 2e-2


def test_batches_of_any_size_give_each_image_the_same_logits(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats]
) -> None:
    session = build_session(QuantizedNetwork(network, *quantized(network, stats, "w8c-a8t", "minmax")))
    whole = session.run(images)
    assert session.run(images[:0]).shape == (0, 10)
    for size in (1, 2, 3, 7, 17):
        parts = [session.run(images[i : i + size]) for i in range(0, len(images), size)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_packed_low_bit_weights_take_fewer_resident_bytes(
    network: Network, stats: Mapping[str, ActivationStats]
) -> None:
    sizes = {
        token: build_session(QuantizedNetwork(network, *quantized(network, stats, token, method))).resident_bytes
        for token, method in (("w8c-a8t", "mse"), ("w4c-a8t", "mse"), ("wtc-a8t", "ternary"))
    }
    if variants.choose() != "portable":
        assert sizes["w4c-a8t"] < 0.6 * sizes["w8c-a8t"]
        assert sizes["wtc-a8t"] < 0.4 * sizes["w8c-a8t"]


def test_wrong_image_shapes_are_refused_in_one_line(network: Network) -> None:
    with pytest.raises(DataError, match=r"expected images .*got \(2, 1, 28, 28\)"):
        FloatSession(network, threads=1).run(np.zeros((2, 1, 28, 28), np.float32))


def test_sessions_may_be_shared_by_python_threads(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats]
) -> None:
    sessions = [
        build_session(QuantizedNetwork(network, *quantized(network, stats, "w8c-a8t", "minmax"))) for _ in range(2)
    ]
    expected = sessions[0].run(images)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda s: s.run(images), sessions * 10):
            assert np.array_equal(result, expected)
