"""Every peer keeps the promises of `qbench.peers.peer`. Authors of other peers: register yours and run this file."""

from __future__ import annotations

import inspect
import re

import numpy as np
import onnx
import pytest

from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.spec import QuantSpec, activation_uniform, weight_uniform
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.errors import ModelError
from qbench.graph import Clamp, Conv, Flatten, Foreign, Linear, Network, Pool, QuantizedNetwork, depth_weights
from qbench.metrics.tensor import sqnr_db
from qbench.peers import PEERS, Peer, Prepared

LEAST_DB = {"fp32": 100, "bf16": 35, "int8": 20, "simulated": 20}
"""How near to the float network answers are, by precision."""
CODES = ("int8", "simulated")
"""Precisions whose peers are handed codes."""
RELU = Clamp(0.0, float("inf"))
ACTIVATION_RANGES = {"images": (-4.0, 4.0), "first": (0.0, 8.0), "pooled": (0.0, 4.0)}


@pytest.fixture(scope="module")
def network() -> Network:
    generator = np.random.default_rng(0)

    def numbers(*shape: int) -> Floats:
        return (generator.standard_normal(shape) * 0.3).astype(np.float32)

    first = Conv("first", "images", "first", numbers(8, 3, 3, 3), numbers(8), pads=(1, 1, 1, 1), activation=RELU)
    pooled = Pool("pooled", "global_average", "first", "pooled", (6, 6))
    flat = Flatten("flat", "pooled", "flat")
    last = Linear("last", "flat", "last", numbers(5, 8), numbers(5))
    shapes = {"images": (3, 6, 6), "first": (8, 6, 6), "pooled": (8, 1, 1), "flat": (8,), "last": (5,)}
    return Network("small", "images", (3, 6, 6), "last", (first, pooled, flat, last), shapes, {}, "0" * 64)


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(1).standard_normal((7, 3, 6, 6), dtype=np.float32)


def expected_logits(network: Network, images: Floats) -> Floats:
    """Return the network's logits by plain NumPy in float64."""
    first, last = network.node("first"), network.node("last")
    assert isinstance(first, Conv)
    assert isinstance(last, Linear)
    padded = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    conv = np.einsum("nchwyx,ocyx->nohw", taps, first.weight) + first.bias[:, None, None]
    return np.asarray(np.maximum(conv, 0).mean(axis=(2, 3)) @ last.weight.T + last.bias, dtype=np.float32)


def qdq(network: Network) -> QuantizedNetwork:
    weights = {}
    for layer in network.layers:
        scale = np.abs(layer.weight).reshape(len(layer.weight), -1).max(axis=1) / np.float32(127)
        params = QParams(QuantSpec(weight_uniform(8), PerChannel()), scale, np.zeros_like(scale))
        codes = np.rint(depth_weights(layer) / scale[:, None]).clip(-127, 127).astype(np.int16)
        weights[layer.name] = QTensor(codes, params)
    activations = {}
    for tensor, (low, high) in ACTIVATION_RANGES.items():
        scale = np.float32((high - low) / 255)
        zero = np.float32(round(-low / float(scale)))
        spec = QuantSpec(activation_uniform(8), PerTensor())
        activations[tensor] = QParams(spec, np.asarray(scale), np.asarray(zero))
    return QuantizedNetwork(network, weights, activations)


@pytest.fixture(params=sorted(PEERS))
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = PEERS.load(request.param)()
    reason = found.missing()
    if reason is not None:
        pytest.skip(reason)
    return found


@pytest.fixture
def prepared(peer: Peer, network: Network) -> Prepared:
    return peer.prepare(qdq(network) if peer.precision in CODES else QuantizedNetwork(network), threads=2)


def test_it_bears_the_name_of_its_line_in_the_table() -> None:
    for name in PEERS:
        found = PEERS.load(name)
        assert found.name == name
        assert found.precision in LEAST_DB


def test_it_says_why_it_cannot_run_or_nothing() -> None:
    for name in PEERS:
        reason = PEERS.load(name)().missing()
        assert reason is None or (reason and "\n" not in reason)


def test_its_logits_are_the_networks(peer: Peer, prepared: Prepared, network: Network, images: Floats) -> None:
    found = prepared.run(images)
    assert found.dtype == np.float32
    assert found.shape == (7, 5)
    assert sqnr_db(expected_logits(network, images), found) > LEAST_DB[peer.precision]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_it_takes_any_batch(peer: Peer, prepared: Prepared, images: Floats, batch: int) -> None:
    found, whole = prepared.run(images[:batch]), prepared.run(images)[:batch]
    if peer.precision in CODES:  # another order of a mean's sum can move one code of 255
        assert sqnr_db(whole, found) > 30
    else:
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)


def test_a_bound_call_answers_as_run_does_into_one_buffer(prepared: Prepared, images: Floats) -> None:
    call = prepared.bind(images)
    first = call()
    np.testing.assert_array_equal(first, prepared.run(images))
    assert call() is first


def test_a_bound_call_outlives_the_callers_images(prepared: Prepared, images: Floats) -> None:
    expected = prepared.run(images)
    copy = images.copy()
    call = prepared.bind(copy)
    del copy
    np.empty(images.shape, np.float32).fill(np.nan)
    np.testing.assert_array_equal(call(), expected)


def test_the_result_of_run_is_the_callers_own(prepared: Prepared, images: Floats) -> None:
    first = prepared.run(images)
    kept = first.copy()
    prepared.run(-images)
    np.testing.assert_array_equal(first, kept)


def impossible() -> QuantizedNetwork:
    """Return a network of an operator that no library has."""
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3, 8, 8]) for name in "xy"]
    node = onnx.helper.make_node("NoSuchOperator", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    content = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()
    foreign = Foreign("odd", ("NoSuchOperator",), ("x",), ("y",), content, 17)
    shapes = {"x": (3, 8, 8), "y": (3, 8, 8)}
    return QuantizedNetwork(Network("impossible", "x", (3, 8, 8), "y", (foreign,), shapes, {}, ""))


def test_a_network_that_it_cannot_run_is_one_clear_line(peer: Peer) -> None:
    with pytest.raises(ModelError, match=f"^{peer.name}: expected a model") as caught:
        peer.prepare(impossible(), threads=1)
    assert "\n" not in str(caught.value)


def test_it_looks_at_no_clock(peer: Peer) -> None:
    source = inspect.getsource(inspect.getmodule(type(peer)) or type(peer))
    assert not re.search(r"\b(import time|perf_counter|from time)\b", source)
