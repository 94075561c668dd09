"""Files whose floats are not of 32 bits are read as float32: the same nodes, the same numbers, and a note."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from qbench.errors import ModelError
from qbench.graph import Conv, Unary, read_onnx, to_onnx_bytes
from tests.graph.conftest import Sketch
from tests.graph.oracle import feeds_of, outputs_of_file

EXPORTED = Path(__file__).parent / "exported"
TYPES = {TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64, TensorProto.BFLOAT16: ml_dtypes.bfloat16}
NAMES = {TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "float64", TensorProto.BFLOAT16: "bfloat16"}


def whole_file_as(source: Path, kind: int, target: Path) -> Path:
    """Write a float32 file as one whose floats are all of another type."""
    model = onnx.load(source)
    tensors = [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute if a.HasField("t"))]
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(TYPES[kind])
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = kind
    for node in model.graph.node:
        for entry in node.attribute:
            if node.op_type == "Cast" and entry.i == TensorProto.FLOAT:
                entry.i = kind
    del model.graph.value_info[:]
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", ["resnet_script", "mobilenet_v3_dynamo", "bert_script", "vit_dynamo"])
def test_file_of_another_width_gives_the_same_nodes_and_numbers(name: str, kind: int, tmp_path: Path) -> None:
    source = EXPORTED / f"{name}.onnx"
    network = read_onnx(whole_file_as(source, kind, tmp_path / "other.onnx"))
    plain = read_onnx(source)
    if kind != TensorProto.BFLOAT16:  # too coarse to tell a gelu
        assert [type(node) for node in network.nodes] == [type(node) for node in plain.nodes]
    assert network.dtypes == plain.dtypes
    assert network.metadata["read_as_float32"].startswith(f"{NAMES[kind]}: ")
    assert "read_as_float32" not in plain.metadata
    feeds = feeds_of(source)
    for found, expected in zip(
        outputs_of_file(to_onnx_bytes(network), feeds), outputs_of_file(source, feeds), strict=True
    ):
        off = {TensorProto.FLOAT16: 2e-3, TensorProto.DOUBLE: 1e-5, TensorProto.BFLOAT16: 5e-2}[kind]
        assert np.abs(found - expected).max() <= off * np.abs(expected).max()


def test_casts_between_floats_vanish(sketch: Sketch) -> None:
    sketch.constant("w", sketch.generator.uniform(-1, 1, (4, 3, 1, 1)).astype(np.float16))
    sketch.node("Cast", "x", "a", to=TensorProto.FLOAT16)
    sketch.node("Conv", "a w", "b")
    sketch.node("Cast", "b", "c", to=TensorProto.DOUBLE)
    sketch.node("Sigmoid", "c", "d")
    sketch.node("Cast", "d", "y", to=TensorProto.FLOAT)
    network = read_onnx(sketch.save())
    assert [type(node) for node in network.nodes] == [Conv, Unary]
    assert network.metadata["read_as_float32"] == "float16: 1 constants, float64: 0 constants"


def test_bodies_speak_of_float32_too(sketch: Sketch, tmp_path: Path) -> None:
    half = helper.make_tensor_value_info("t", TensorProto.FLOAT16, None)
    bodies = {}
    for name, value in (("then_branch", 2.0), ("else_branch", 3.0)):
        constant = numpy_helper.from_array(np.float16(value), "k")
        node = helper.make_node("Mul", ["h", "k"], ["t"])
        bodies[name] = helper.make_graph([node], name, [], [half], [constant])
    sketch.node("Cast", "x", "h", to=TensorProto.FLOAT16)
    sketch.node("ReduceSum", "h", "s", keepdims=0)
    sketch.constant("zero", np.float16(0))
    sketch.node("Greater", "s zero", "positive")
    sketch.node("If", "positive", "t", **bodies)
    sketch.node("Cast", "t", "y", to=TensorProto.FLOAT)
    network = read_onnx(sketch.save())
    for sign in (1.0, -1.0):
        x = np.full((2, 3, 8, 8), sign, np.float32)
        (found,) = outputs_of_file(to_onnx_bytes(network), {"x": x})
        assert np.array_equal(found, x * (2 if sign > 0 else 3))


def test_numbers_beyond_float32_are_refused(sketch: Sketch) -> None:
    sketch.constant("w", np.full((4, 3, 1, 1), 1e300))
    sketch.node("Cast", "x", "a", to=TensorProto.DOUBLE)
    sketch.node("Conv", "a w", "y")
    with pytest.raises(ModelError, match=r"constant 'w': it holds float64 numbers beyond those of float32$"):
        read_onnx(sketch.save())
