"""An input that is bound to a number is a constant: an If on it takes its branch; states have their batch second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from qbench.cli.commands import root
from qbench.errors import ModelError
from qbench.graph import Recurrent, read_network, read_onnx, to_onnx_bytes
from qbench.graph.readers import parse_bound
from qbench.suite import load_suite
from tests.graph.conftest import Sketch
from tests.graph.oracle import assert_close, outputs_of_file


def by_rate(sketch: Sketch, sizes: tuple[str | int | None, ...]) -> Path:
    """Draw an LSTM whose weights an If on the number `sr` chooses, its state (1, batch, k), the batch named or not."""
    batch, state = sizes
    for name, shape in (("w", (1, 16, 3)), ("r", (1, 16, 4)), ("v", (1, 16, 3))):
        sketch.weights(name, *shape)
    sketch.constant("rate", np.int64(16000))
    sketch.node("Equal", "sr rate", "fast")
    ends, *inner = (
        [helper.make_tensor_value_info(f"{w}{name}", TensorProto.FLOAT, None) for name in ("y", "next")]
        for w in ("", "w", "v")
    )
    bodies = [
        helper.make_graph([
            helper.make_node("Transpose", ["x"], [f"{w}t"], perm=[1, 0, 2]),
            helper.make_node("LSTM", [f"{w}t", w, "r", "", "", "h"], [f"{w}a", f"{w}n"], hidden_size=4),
            helper.make_node("Transpose", [f"{w}a"], [f"{w}y"], perm=[2, 0, 1, 3]),
            helper.make_node("Identity", [f"{w}n"], [f"{w}next"]),
        ], w, [], made) for w, made in zip("wv", inner, strict=True)
    ]  # fmt: skip
    node = helper.make_node("If", ["fast"], ["y", "next"], then_branch=bodies[0], else_branch=bodies[1])
    if batch == 2:  # a file of fixed sizes says them of its outputs too
        ends[1] = helper.make_tensor_value_info("next", TensorProto.FLOAT, (1, 2, 4))
    shapes = {"x": (batch, 5, 3), "h": (1, state, 4)}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    rate = helper.make_tensor_value_info("sr", TensorProto.INT64, ())
    graph = helper.make_graph([*sketch.nodes, node], "main", [*ports, rate], ends, list(sketch.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    sketch.path.write_bytes(model.SerializeToString())
    return sketch.path


@pytest.mark.parametrize("sizes", [("batch", "batch"), (None, None), (2, 2)])
@pytest.mark.parametrize("rate", [16000, 8000])
def test_branch_of_a_bound_number_is_the_network(
    sketch: Sketch, sizes: tuple[str | int | None, ...], rate: int
) -> None:
    path = by_rate(sketch, sizes)
    network = read_network(path, shapes={"sr": rate})
    assert network.inputs == ("x", "h")
    assert network.metadata["bound"] == f"sr={rate}"
    assert sum(isinstance(node, Recurrent) for node in network.nodes) == 1
    assert not network.unbatched & {*network.inputs, *network.outputs}
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(2, 5, 3)).astype(np.float32), rng.normal(size=(1, 2, 4)).astype(np.float32)
    y, after = outputs_of_file(path, {"x": x, "h": h, "sr": np.asarray(rate, np.int64)})
    found = outputs_of_file(to_onnx_bytes(network), {"x": x, "h": h.transpose(1, 0, 2)})
    assert_close(found, [y, after.transpose(1, 0, 2)])
    assert network.sha256 != read_onnx(path).sha256


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("rate", 1, "bind: the file has no input 'rate'"),
        ("sr", 0.5, "bind: input 'sr' is of int64, which 0.5 does not fit"),
        ("sr", 1e30, "bind: input 'sr' is of int64, which 1e.30 does not fit"),
        ("x", 1, r"bind: input 'x' is \['batch', 5, 3\]: expected one number"),
    ],
)
def test_what_cannot_be_bound_is_told(sketch: Sketch, name: str, number: float, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_onnx(by_rate(sketch, ("batch", "batch")), shapes={name: number})


def test_command_line_and_suites_bind(sketch: Sketch) -> None:
    path = by_rate(sketch, ("batch", "batch"))
    found = CliRunner().invoke(root, ["plan", str(path), "--bind", "sr=8000"], env={"COLUMNS": "250"})
    assert found.exit_code == 0, found.output
    assert "lstm_u8_s8_f32" in found.output
    for words in ("sr", "sr=x", "sr=nan", "=1"):
        with pytest.raises(ModelError, match="bind: expected one INPUT=NUMBER"):
            parse_bound([words])
    suite = path.with_suffix(".yaml")
    suite.write_text(
        f"name: s\nmodel: {path}\ndata: d.npz\nbind: {{sr: 8000}}\nsweeps: [{{name: a, spec: w8c-a8t, method: mse}}]\n"
    )
    assert load_suite(suite).given == {"sr": 8000}


def test_sizes_that_are_free_are_told_as_such(sketch: Sketch) -> None:
    sketch.weights("w", 3, 4)
    sketch.node("MatMul", "x w", "y")
    found = CliRunner().invoke(root, ["plan", str(sketch.save(("n", None, 3)))])
    assert isinstance(found.exception, ModelError)
    assert str(found.exception).endswith("got 'x' (?, 3)")
