"""Normalization without a mean, spelled out and read again, and products over one token at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from qbench.engine import FloatSession
from qbench.graph import LayerNorm, Linear, Network, read_onnx, to_onnx_bytes

CHANNELS = 24


def same(path: Path, network: Network, rows: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, rows, CHANNELS), dtype=np.float32)
    expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    with FloatSession(network) as session:
        assert not session.network.foreign
        assert np.allclose(session.run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("centred", [True, False])
def test_a_norm_is_written_and_read_back(centred: bool, tmp_path: Path) -> None:
    scale, offset = np.random.default_rng(1).uniform(0.5, 2, (2, CHANNELS)).astype(np.float32)
    norm = LayerNorm("norm", "x", "y", scale, offset, 1e-6, centred)
    shapes = {"x": (5, CHANNELS), "y": (5, CHANNELS)}
    made = Network("norm", "x", shapes["x"], "y", (norm,), shapes, {}, "")
    path = tmp_path / "norm.onnx"
    path.write_bytes(to_onnx_bytes(made))
    again = read_onnx(path)
    assert [type(node) for node in again.nodes] == [LayerNorm]
    assert again.nodes[0].centred is centred  # type: ignore[union-attr]
    same(path, again, 5)


def test_products_over_vectors_of_one_token_are_products_over_rows(tmp_path: Path) -> None:
    weight = np.random.default_rng(1).standard_normal((CHANNELS, CHANNELS), dtype=np.float32)
    constants = {"w": weight, "flat": np.array([-1, CHANNELS]), "rows": np.array([-1, 1, CHANNELS])}
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["vectors"]),
        helper.make_node("Gemm", ["vectors", "w"], ["product"]),
        helper.make_node("Reshape", ["product", "rows"], ["y"]),
        helper.make_node("Tanh", ["y"], ["z"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, CHANNELS]) for name in ("x", "z")]
    given = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    path = tmp_path / "decoder.onnx"
    graph = helper.make_graph(nodes, "decoder", ends[:1], ends[1:], given)
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    network = read_onnx(path)
    (layer,) = network.layers
    assert isinstance(layer, Linear)
    assert network.shapes[layer.output] == (1, CHANNELS)
    same(path, network, 1)
