"""Networks that take no pictures, or several inputs, or answer with images: planned, quantized, scored, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import qbench
from qbench.errors import DataError
from qbench.graph import read_network
from qbench.runner.networks.bench import Bench
from qbench.runner.own.layer_plan import plan_model
from qbench.runner.own.once import quantize_asked
from qbench.runner.own.request import Asked
from qbench.zoo.own_data import Wanted, inputs_of, load_own

GENERATOR = np.random.default_rng(0)
Ends = dict[str, tuple[int, tuple[int, ...]]]


def weights(**shapes: tuple[int, ...]) -> list[Any]:
    return [
        numpy_helper.from_array((GENERATOR.standard_normal(shape) * 0.3).astype(np.float32), name)
        for name, shape in shapes.items()
    ]


def saved(path: Path, nodes: list[Any], constants: list[Any], inputs: Ends, output: tuple[int, ...]) -> Path:
    ends = [helper.make_tensor_value_info(name, kind, ["n", *shape]) for name, (kind, shape) in inputs.items()]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *output])]
    graph = helper.make_graph(nodes, "g", ends, out, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def table(path: Path) -> Path:
    """Write a perceptron over (n, 20)."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["a"], name="one", transB=1),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"], name="two", transB=1),
    ]
    constants = weights(w=(32, 20), b=(32,), v=(3, 32), c=(3,))
    return saved(path / "table.onnx", nodes, constants, {"x": (TensorProto.FLOAT, (20,))}, (3,))


def two_inputs(path: Path) -> Path:
    """Write a network that adds what it makes of two inputs."""
    nodes = [
        helper.make_node("Gemm", ["left", "w", "b"], ["p"], name="one", transB=1),
        helper.make_node("Gemm", ["right", "u", "b"], ["q"], name="other", transB=1),
        helper.make_node("Add", ["p", "q"], ["s"]),
        helper.make_node("Relu", ["s"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"], name="last", transB=1),
    ]
    constants = weights(w=(16, 20), u=(16, 8), b=(16,), v=(4, 16), c=(4,))
    ends = {"left": (TensorProto.FLOAT, (20,)), "right": (TensorProto.FLOAT, (8,))}
    return saved(path / "pair.onnx", nodes, constants, ends, (4,))


def image_out(path: Path) -> Path:
    """Write a network that makes an image of an image."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "v", "c"], ["y"], name="two", pads=[1, 1, 1, 1]),
    ]
    constants = weights(w=(16, 3, 3, 3), b=(16,), v=(1, 16, 3, 3), c=(1,))
    return saved(path / "paint.onnx", nodes, constants, {"x": (TensorProto.FLOAT, (3, 16, 16))}, (1, 16, 16))


def bytes_in(path: Path) -> Path:
    """Write a network that takes pictures as bytes, and scales them itself."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "scale"], ["s"]),
        helper.make_node("Conv", ["s", "w", "b"], ["a"], name="one", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["t"]),
        helper.make_node("Gemm", ["t", "v", "c"], ["y"], name="two", transB=1),
    ]
    constants = [
        *weights(w=(16, 3, 3, 3), b=(16,), v=(4, 16), c=(4,)),
        numpy_helper.from_array(np.float32(1 / 255), "scale"),
    ]
    return saved(path / "bytes.onnx", nodes, constants, {"x": (TensorProto.UINT8, (3, 32, 32))}, (4,))


MADE = {"table": table, "pair": two_inputs, "paint": image_out}


def arrays_for(model: Path, **more: Any) -> str:
    """Write normal numbers for every input of a network, and what is given beside."""
    network = read_network(model)
    found = {name: GENERATOR.standard_normal((48, *network.shapes[name])).astype(np.float32) for name in network.inputs}
    np.savez(model.with_suffix(".npz"), **found, **more)
    return str(model.with_suffix(".npz"))


@pytest.mark.parametrize("name", MADE)
def test_it_is_planned_quantized_scored_and_saved(name: str, tmp_path: Path) -> None:
    model = MADE[name](tmp_path)
    labels = {} if name == "paint" else {"labels": np.arange(48) % 3}
    asked = Asked(str(model), data=arrays_for(model, **labels), threads=1, batch_sizes=(1, 4))
    planned = plan_model(asked)
    assert planned.integer_operations > 0.9 * planned.operations
    made = quantize_asked(asked, tmp_path / "out", timed=name == "pair", quick=True)
    row = made.result.row
    assert (row.status, row.execution) == ("ok", "integer")
    score = row.metrics["sample_sqnr_db" if name == "paint" else "agreement_percent"].value
    assert score is not None
    assert score > (20 if name == "paint" else 80)
    if name == "pair":
        assert {one.cell for one in row.measurements} == {"qbench", "onnxruntime-fp32"}
    network = read_network(model)
    data = load_own(asked.data, Wanted(inputs_of(network)))
    inputs = data.inputs(0, 3)
    with qbench.load(tmp_path / "out").session(threads=1) as session:
        answers = session.run(*(inputs.arrays if name == "pair" else (inputs,)))
    assert answers.shape == (3, *network.shapes[network.output])


def test_bytes_are_taken_as_they_are_by_a_session_that_shows_every_tensor(tmp_path: Path) -> None:
    model = bytes_in(tmp_path)
    for index in range(24):
        pixels = GENERATOR.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    asked = Asked(str(model), data=str(tmp_path / "pictures"), threads=1, calibration=12)
    row = quantize_asked(asked, tmp_path / "out", timed=False).result.row
    assert row.status == "ok"
    value = row.metrics["sample_sqnr_db"].value
    assert value is not None
    assert value > 20


def test_a_network_of_several_inputs_wants_an_array_for_each(tmp_path: Path) -> None:
    network = read_network(two_inputs(tmp_path))
    with pytest.raises(DataError, match="expects an array for each of 'left', 'right', got one"):
        Bench(network, load_own("cifar10-shard", Wanted(inputs_of(network), limit=None)), threads=1)
    np.savez(tmp_path / "half.npz", left=np.zeros((8, 20), np.float32))
    with pytest.raises(DataError, match=r"expected arrays 'left' \(n, 20\) float32, 'right' \(n, 8\) float32"):
        load_own(str(tmp_path / "half.npz"), Wanted(inputs_of(network)))
