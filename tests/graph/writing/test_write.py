"""What is written is read back the same, and bad weights are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from qbench.errors import ModelError
from qbench.graph import Conv, Network, layer_alone, read_onnx, to_onnx_bytes, write_onnx
from qbench.zoo import model_path

if TYPE_CHECKING:
    from tests.graph.conftest import Floats, Sketch

Run = Callable[[Path | bytes, "Floats"], "Floats"]


@pytest.fixture(scope="module")
def resnet() -> Network:
    return read_onnx(model_path("resnet20"))


def test_written_network_is_read_back_the_same(resnet: Network, tmp_path: Path) -> None:
    path = tmp_path / "resnet20_cifar10.onnx"
    write_onnx(resnet, path)
    again = read_onnx(path)
    assert [(type(node), node.name, node.output) for node in again.nodes] == [
        (type(node), node.name, node.output) for node in resnet.nodes
    ]
    assert (again.name, again.shapes, again.metadata) == (resnet.name, resnet.shapes, resnet.metadata)
    for old, new in zip(resnet.layers, again.layers, strict=True):
        np.testing.assert_array_equal(old.weight, new.weight)
        np.testing.assert_array_equal(old.bias, new.bias)


def test_written_bytes_pass_the_checker_and_are_deterministic(resnet: Network) -> None:
    content = to_onnx_bytes(resnet)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    assert content == to_onnx_bytes(resnet)


def test_weights_can_be_replaced_in_either_order(sketch: Sketch, run_onnx: Run) -> None:
    sketch.weights("a.weight", 4, 3, 2, 3)
    sketch.node("Conv", "x a.weight", "y")
    network = read_onnx(sketch.save())
    conv = network.layers[0]
    assert isinstance(conv, Conv)
    other = np.random.default_rng(0).normal(size=conv.weight.shape).astype(np.float32)
    ohwi = other.transpose(0, 2, 3, 1).reshape(4, -1)
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    first, second = (run_onnx(to_onnx_bytes(network, weights={"a": weights}), x) for weights in (other, ohwi))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - run_onnx(to_onnx_bytes(network), x)).max() > 0.1


def test_bad_weights_are_refused(resnet: Network) -> None:
    with pytest.raises(ModelError, match="weights for layer 'stem': expected shape \\(16, 3, 3, 3\\), got \\(2, 2\\)"):
        to_onnx_bytes(resnet, weights={"stem": np.zeros((2, 2), np.float32)})
    with pytest.raises(ModelError, match="has no such layer; did you mean 'stem'"):
        to_onnx_bytes(resnet, weights={"stm": np.zeros((2, 2), np.float32)})


def test_layer_alone_takes_its_input_and_gives_its_output(resnet: Network, run_onnx: Run) -> None:
    content = to_onnx_bytes(layer_alone(resnet, "blocks.3.conv2"))
    graph = onnx.load_from_string(content).graph
    assert [node.op_type for node in graph.node] == ["Conv", "Relu"]
    assert run_onnx(content, np.ones((5, 32, 16, 16), np.float32)).shape == (5, 32, 16, 16)
    classifier = to_onnx_bytes(layer_alone(resnet, "classifier"))
    assert [node.op_type for node in onnx.load_from_string(classifier).graph.node] == ["Gemm"]
    assert run_onnx(classifier, np.ones((5, 64), np.float32)).shape == (5, 10)


def test_layer_that_does_not_exist_is_refused(resnet: Network) -> None:
    with pytest.raises(ModelError, match=r"has no layer 'blocks.3.conv3'; did you mean 'blocks.3.conv"):
        to_onnx_bytes(layer_alone(resnet, "blocks.3.conv3"))


def test_folder_that_does_not_exist_is_one_clear_line(resnet: Network, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        write_onnx(resnet, tmp_path / "none" / "a.onnx")
