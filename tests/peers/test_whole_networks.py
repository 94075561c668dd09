"""Every peer runs networks of every structure that it admits, and answers as they do."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.errors import ModelError
from qbench.graph import Clamp, Conv, Network, Pool, QuantizedNetwork, read_onnx
from qbench.kernels import VNNI, instruction_sets
from qbench.metrics.tensor import sqnr_db
from qbench.peers import PEERS, Peer, Prepared
from qbench.zoo.networks.mobilenet_v2 import build
from qbench.zoo.networks.resnet import basic, bottleneck, resnet
from qbench.zoo.smooth import load_32
from tests.graph.test_option_a import resnet8
from tests.peers.int8_model import int8_model

SATURATING = ("openvino-int8", "torch-int8")
LEAST_DB = {"fp32": 100.0, "bf16": 25.0, "int8": 15.0}
BUILDERS = {
    "basic": lambda: resnet("basic", basic, depths=(1, 1), widths=(16, 32), seed=1, size=32, classes=10),
    "bottleneck": lambda: resnet("bottleneck", bottleneck, depths=(1, 1), widths=(16, 32), seed=1, size=32, classes=10),
    "mobilenet": lambda: build("mobilenet", ((1, 16, 1, 1), (6, 24, 2, 2)), size=32, stem_stride=1, classes=10, seed=1),
    "option_a": resnet8,
}


@cache
def network(kind: str) -> Network:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(BUILDERS[kind]())
        return read_onnx(path)


@cache
def images() -> Floats:
    return load_32().inputs(0, 5)


@cache
def int8(kind: str) -> QuantizedNetwork:
    return int8_model(network(kind), load_32().calibration_inputs(16, 0))


@cache
def expected(kind: str) -> Floats:
    return FloatSession(network(kind), threads=1).run(images())


@pytest.fixture(params=sorted(PEERS))
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = PEERS.load(request.param)()
    reason = found.missing()
    if reason is not None:
        pytest.skip(reason)
    return found


def prepare(peer: Peer, kind: str) -> Prepared:
    return peer.prepare(int8(kind) if peer.precision == "int8" else QuantizedNetwork(network(kind)), threads=2)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_a_network_with_residuals_pools_and_depthwise_layers_answers_as_it_does(peer: Peer, kind: str) -> None:
    if kind != "basic" and peer.name.startswith(SATURATING) and not instruction_sets() & VNNI:
        pytest.skip(f"{peer.name} saturates at 16 bits on a CPU without VNNI: 0.5 and 14 dB are left")
    found = prepare(peer, kind).run(images())
    assert sqnr_db(expected(kind), found) > LEAST_DB[peer.precision]


def test_all_int8_peers_differ_by_rounding_alone() -> None:
    ready = [
        name for name in sorted(PEERS) if PEERS.load(name).precision == "int8" and not PEERS.load(name)().missing()
    ]
    if len(ready) < 2:
        pytest.skip(f"expected two libraries that run int8 networks, installed: {', '.join(ready)}")
    logits = [prepare(PEERS.load(name)(), "basic").run(images()) for name in ready]
    for name, found in zip(ready[1:], logits[1:], strict=True):
        assert sqnr_db(logits[0], found) > 20, name


def test_a_maximum_may_have_another_scale_than_what_it_reads(peer: Peer) -> None:
    """PyTorch's compiler and LiteRT have maximum pools that read and write one scale: 9 dB were left of 21."""
    if peer.precision != "int8":
        pytest.skip("it has no scales")
    model = int8("basic")
    pool = next(node for node in model.network.nodes if isinstance(node, Pool) and node.kind == "max")
    wide = model.activations[pool.input]
    wider = replace(wide, scale=np.asarray(wide.scale * np.float32(1.7)))
    other = QuantizedNetwork(model.network, model.weights, {**model.activations, pool.input: wider})
    assert sqnr_db(expected("basic"), peer.prepare(other, threads=1).run(images())) > LEAST_DB["int8"]


def changed(kind: str, **changes: object) -> QuantizedNetwork:
    """Return a model of the network with its first layer changed, its parameters as they were."""
    model = int8(kind)
    first, *rest = model.network.nodes
    nodes = (replace(first, **changes), *rest)  # type: ignore[arg-type]
    return replace(model, network=replace(model.network, nodes=nodes))


def test_litert_says_which_node_it_cannot_hold() -> None:
    found: Peer = PEERS.load("litert-int8")()
    if found.missing() is not None:
        pytest.skip("not installed")
    for model in (changed("mobilenet", groups=3), changed("mobilenet", activation=Clamp(-1.0, 1.0))):
        with pytest.raises(ModelError, match=r"^litert-int8: expected a model that LiteRT can hold, got node"):
            found.prepare(model, threads=1)


def test_litert_pads_as_the_network_does(tmp_path: Path) -> None:
    """A window of 3 at stride 2 with one row of padding on each side is not TensorFlow's SAME."""
    found: Peer = PEERS.load("litert-int8")()
    if found.missing() is not None:
        pytest.skip("not installed")
    nodes = network("basic").nodes
    strided = [node for node in nodes if isinstance(node, Conv | Pool) and node.strides == (2, 2) and any(node.pads)]
    assert len(strided) >= 3
    reference: Peer = PEERS.load("onnxruntime-int8")()
    pair = [sample.prepare(int8("basic"), threads=1).run(images()) for sample in (found, reference)]
    assert sqnr_db(*pair) > 25


def test_openvino_in_two_streams_keeps_the_order_of_an_odd_batch() -> None:
    names = ("openvino-int8", "openvino-int8-2streams")
    one, two = (PEERS.load(name)() for name in names)
    if one.missing() is not None:
        pytest.skip("not installed")
    found = [prepare(sample, "basic").run(images()) for sample in (one, two)]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4)
