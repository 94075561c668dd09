"""States whose batch is their second axis come and go with the batch first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from qbench.errors import ModelError
from qbench.graph import read_onnx, to_onnx_bytes
from qbench.runner.own.request import Asked, read_network
from tests.graph.conftest import Sketch
from tests.graph.oracle import outputs_of_file


def recurrent(sketch: Sketch) -> Path:
    """Draw an LSTM over (batch, tokens, c) whose state (1, batch, k) comes in and goes out."""
    for name, shape in (("w", (1, 16, 3)), ("r", (1, 16, 4))):
        sketch.weights(name, *shape)
    sketch.node("Transpose", "x", "t", perm=[1, 0, 2])
    sketch.node("LSTM", "t w r - - h c", "a next.h next.c", hidden_size=4)
    sketch.constant("axis", np.asarray([1]))
    sketch.node("Squeeze", "a axis", "b")
    sketch.node("Transpose", "b", "y", perm=[1, 0, 2])
    shapes = {"x": ("batch", 5, 3), **dict.fromkeys(("h", "c", "next.h", "next.c"), (1, "batch", 4)), "y": None}
    ports = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        sketch.nodes, "main", [ports[name] for name in ("x", "h", "c")],
        [ports[name] for name in ("y", "next.h", "next.c")], list(sketch.constants.values()),
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    sketch.path.write_bytes(model.SerializeToString())
    return sketch.path


def test_state_comes_and_goes_with_its_batch_first(sketch: Sketch) -> None:
    path = recurrent(sketch)
    network = read_onnx(path)
    assert network.metadata["batch_first"] == "h, c, next.h, next.c"
    assert [network.shapes[name] for name in (*network.inputs, *network.outputs)] == [
        (5, 3), (1, 4), (1, 4), (5, 4), (1, 4), (1, 4),
    ]  # fmt: skip
    assert not network.unbatched.intersection((*network.inputs, *network.outputs))
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(size=size).astype(np.float32) for name, size in
             (("x", (2, 5, 3)), ("h", (1, 2, 4)), ("c", (1, 2, 4)))}  # fmt: skip
    turned = {name: array if name == "x" else array.transpose(1, 0, 2) for name, array in feeds.items()}
    expected = outputs_of_file(path, feeds)
    found = outputs_of_file(to_onnx_bytes(network), turned)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other.transpose(1, 0, 2), atol=1e-6)


def test_network_whose_layers_are_in_branches_is_told_so(sketch: Sketch) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, (3, 3, 1, 1), np.ones(9))
    ends = [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)]
    body = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["t"])], "body", [], ends, [weight])
    sketch.node("ReduceSum", "x", "s", keepdims=0)
    sketch.constant("zero", np.float32(0))
    sketch.node("Greater", "s zero", "positive")
    sketch.node("If", "positive", "y", then_branch=body, else_branch=body)
    path = sketch.save()
    with pytest.raises(ModelError, match=r"got none: node 'y' \(If\): which branch it takes depends on what goes in"):
        read_network(Asked(str(path)))
