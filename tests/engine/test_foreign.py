"""Foreign nodes run through onnxruntime; what has no step is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from qbench.engine import FloatSession
from qbench.engine.foreign import ForeignRunner
from qbench.errors import ModelError
from qbench.graph import Foreign, read_onnx
from qbench.graph.onnx.read import network_of_model
from tests.graph.oracle import outputs_of_file

EXPORTED = Path(__file__).parents[1] / "graph" / "exported"


def foreign() -> Foreign:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> network (float[N, 4, 8, 8] x) => (float[N, 1, 8, 8] y)'
        " { c = CumSum(x, axis) y = ReduceMean <axes = [1]> (c) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1), "axis"))
    return network_of_model(model, "network").foreign[0]


@pytest.mark.parametrize("images", [1, 3])
def test_foreign_node_computes_what_its_model_says(images: int) -> None:
    node = foreign()
    x = np.random.default_rng(0).normal(size=(images, 4, 8, 8)).astype(np.float32)
    (found,) = ForeignRunner(node).run([x])
    (expected,) = outputs_of_file(node.model, dict.fromkeys(_inputs(node), x))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (images, 1, 8, 8)


def _inputs(node: Foreign) -> list[str]:
    return [value.name for value in onnx.load_from_string(node.model).graph.input]


def test_model_that_onnxruntime_cannot_load_is_one_line() -> None:
    node = foreign()
    broken = Foreign("head", ("Explode",), node.inputs, node.outputs, node.model[:100], 17)
    with pytest.raises(ModelError, match=r"node 'head' \(Explode\): onnxruntime cannot run: ") as caught:
        ForeignRunner(broken)
    assert str(caught.value).isprintable()


def test_arrays_that_do_not_fit_are_one_line() -> None:
    runner = ForeignRunner(foreign())
    with pytest.raises(ModelError, match="onnxruntime failed"):
        runner.run([np.zeros((1, 3, 8, 8), np.float64)])
    with pytest.raises(ModelError, match="expected 1 inputs, got 2"):
        runner.run([np.zeros((1, 4, 8, 8), np.float32)] * 2)


@pytest.mark.parametrize("name", ["pyramid_script", "inception_script", "unet_nearest_script"])
def test_networks_with_foreign_nodes_and_several_outputs_answer_as_onnxruntime_does(name: str) -> None:
    path = EXPORTED / f"{name}.onnx"
    network = read_onnx(path)
    x = np.random.default_rng(0).standard_normal((5, *network.input_shape), dtype=np.float32)
    expected = outputs_of_file(path.read_bytes(), {network.input: x})
    with FloatSession(network) as session:
        found = session.run_all(x)
        first = session.run(x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(first, found[0].reshape(first.shape))


def test_what_onnxruntime_has_no_kernel_of_is_answered_by_the_reference() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> network (float[N, 4] x) => (float[N, 4] y)'
        ' { h = Cast <to = 16> (x) s = BitShift <direction = "LEFT"> (one, one)'
        " d = Cast <to = 16> (s) m = Mod <fmod = 1> (h, d)"
        " y = Cast <to = 1> (m) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.uint8), "one"))
    network = network_of_model(model, "network")
    x = np.random.default_rng(0).standard_normal((3, 4), dtype=np.float32)
    with FloatSession(network) as session:
        kinds = [step.kind for step in session.plan.steps]
        found = session.run(x)
    assert any(kind.endswith("/onnx-reference") for kind in kinds), kinds
    np.testing.assert_allclose(found, np.fmod(x, 2), atol=0.05)
