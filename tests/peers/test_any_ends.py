"""Peers on networks whose ends are not one array of images: states without a batch, scalars, ids that pass through."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from qbench.engine import FloatSession
from qbench.errors import ModelError
from qbench.graph import Network, QuantizedNetwork
from qbench.graph.onnx.read import network_of_model
from qbench.peers import PEERS, Peer
from tests.graph.oracle import Array

HEAD = 'ir_version: 8, opset_import: ["": 17]'
STATES = {
    "a state": (
        "(float[1, 4] x, float[3, 1, 4] state) => (float[1, 4] y, float[3, 1, 4] next)"
        " { s = ReduceSum <keepdims = 0> (state, axes) y = Add(x, s) u = Unsqueeze(y, axes) next = Add(state, u) }"
    ),
    "a state as the answer": (
        "(float[1, 4] x, float[3, 1, 4] state) => (float[3, 1, 4] next)"
        " { u = Unsqueeze(x, axes) next = Add(state, u) }"
    ),
    "a scalar": "(float[N, 4] x, int64 rate) => (float[N, 4] y) { r = Cast <to = 1> (rate) y = Mul(x, r) }",
}  # fmt: skip
IDS = (
    "(int64[N, 4] ids, int64[N, 4] mask) => (int64[N, 4] same, int64[N, 4] other, float[N, 4] y, float[N, 4] z)"
    " { same = Identity(ids) other = Identity(mask) f = Cast <to = 1> (ids) y = Sin(f) z = Cos(y) }"
)


def network_of(text: str) -> Network:
    model = onnx.parser.parse_model(f"<{HEAD}> network {text}")
    if "axes" in text:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axes"))
    return network_of_model(model, "network")


def samples(network: Network, count: int = 5) -> list[Array]:
    rng = np.random.default_rng(0)
    kinds = {tensor: np.dtype(network.dtypes.get(tensor, "float32")) for tensor in network.inputs}
    return [(9 * rng.random((count, *network.shapes[name]))).astype(kind) for name, kind in kinds.items()]


def peer(name: str) -> Peer:
    found: Peer = PEERS.load(name)()
    return found


@pytest.mark.parametrize("text", [*STATES.values(), IDS], ids=[*STATES, "ids"])
def test_onnxruntime_answers_as_a_session_does_sample_by_sample_where_there_is_no_batch(text: str) -> None:
    network = network_of(text)
    given = samples(network)
    prepared = peer("onnxruntime-fp32").prepare(QuantizedNetwork(network), threads=1)
    with FloatSession(network, threads=1) as session:
        expected = session.run(*given)
    assert expected.dtype == np.float32
    for found in (prepared.run(*given), prepared.bind(*given)()):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_fixed_batch_is_filled_up() -> None:
    text = "(float[2, 3, 4] x) => (float[2, 3, 4] y) { s = Sin(x) r = Reshape(s, sizes) y = Add(r, each) }"
    model = onnx.parser.parse_model(f"<{HEAD}> network {text}")
    each = np.arange(2, dtype=np.float32).reshape(2, 1, 1)
    for name, array in {"sizes": np.array([2, 3, 4]), "each": each}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    network = network_of_model(model, "network")
    assert network.batch == 2
    (x,) = samples(network)
    prepared = peer("onnxruntime-fp32").prepare(QuantizedNetwork(network), threads=1)
    for found in (prepared.run(x), prepared.bind(x)()):
        np.testing.assert_allclose(found, np.sin(x) + np.resize(each, (5, 1, 1)), rtol=1e-5, atol=1e-6)


def test_the_answer_is_the_first_output_of_floats() -> None:
    assert network_of(IDS).answer == "y"
    assert network_of("(int64[N, 4] ids) => (int64[N, 4] same) { same = Neg(ids) }").answer == "same"
    assert network_of(STATES["a state"]).answer == "y"


def test_what_onnxruntime_cannot_run_is_one_line() -> None:
    network = network_of(STATES["a scalar"])
    prepared = peer("onnxruntime-fp32").prepare(QuantizedNetwork(network), threads=1)
    x, rate = samples(network)
    with pytest.raises(ModelError, match=r"^onnxruntime-fp32: expected a model that runs, got: [^\n]+$"):
        prepared.run(x.astype(np.float64), rate)


@pytest.mark.parametrize("name", ["openvino-fp32", "torch-fp32"])
def test_other_libraries_refuse_what_has_no_batch_in_a_line(name: str) -> None:
    if peer(name).missing() is not None:
        pytest.skip("not installed")
    with pytest.raises(ModelError, match=rf"^{name}: expected the batch first in every .*, got 'rate' without one$"):
        peer(name).prepare(QuantizedNetwork(network_of(STATES["a scalar"])), threads=1)
