"""Convolutional networks of the well-known kinds run in float and in integers as onnxruntime runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession, build_session
from qbench.engine.steps.other import OTHER
from qbench.graph import Network, QuantizedNetwork, qdq_onnx_bytes, read_onnx
from qbench.methods import ActivationStats, stats_of
from tests.graph.conftest import Sketch
from tests.graph.oracle import outputs_of_file

from .conftest import quantized

EXPORTED = Path(__file__).parents[1] / "graph" / "exported"
INTEGER = ("densenet_dynamo", "efficientnet_script", "mobilenet_v2_script", "mobilenet_v3_dynamo", "shufflenet_script")
FLOAT = (*INTEGER, "squeezenet_script", "resnet_dynamo")


def images(count: int = 6) -> Floats:
    return np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)


def calibrated(network: Network, x: Floats) -> dict[str, ActivationStats]:
    return {name: stats_of(parts) for name, parts in FloatSession(network, threads=1).observe(x).items()}


@pytest.mark.parametrize("name", FLOAT)
def test_float_session_computes_what_onnxruntime_does(name: str) -> None:
    path = EXPORTED / f"{name}.onnx"
    (expected,) = outputs_of_file(path, {"x": images()})
    for threads in (1, 2):
        found = FloatSession(read_onnx(path), threads=threads).run(images())
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", INTEGER)
def test_integer_session_computes_what_onnxruntime_does_with_the_same_codes(name: str) -> None:
    network = read_onnx(EXPORTED / f"{name}.onnx")
    x = images()
    weights, activations = quantized(network, calibrated(network, x), "w8c-a8t", "minmax")
    session = build_session(QuantizedNetwork(network, weights, activations), threads=2)
    assert (session.execution, session.execution_reason) == ("integer", "")
    assert session.integer_share == 1.0
    known = {tensor: params for tensor, params in activations.items() if tensor != network.output}
    found = session.run(x)
    (expected,) = outputs_of_file(qdq_onnx_bytes(QuantizedNetwork(network, weights, known)), {"x": x})
    (real,) = outputs_of_file(EXPORTED / f"{name}.onnx", {"x": x})

    def noise_db(one: Floats, other: Floats) -> float:
        spread = np.square(other - other.mean()).sum()
        return float(10 * np.log10(spread / np.square(one - other).sum()))

    assert noise_db(found, expected) > 25  # single codes differ where a residual sum is rounded once, not twice
    assert noise_db(found, real) > noise_db(np.asarray(expected), real) - 3


def test_every_kind_of_node_has_run_above() -> None:
    kinds = {type(node) for name in INTEGER for node in read_onnx(EXPORTED / f"{name}.onnx").nodes}
    assert set(OTHER) - kinds == {kind for kind in OTHER if kind.__name__ == "Resize"}


@pytest.fixture
def enlarging(tmp_path: Path) -> Path:
    sketch = Sketch(tmp_path)
    sketch.weights("a.weight", 8, 3, 3, 3)
    sketch.node("Conv", "x a.weight", "a", pads=[1, 1, 1, 1], strides=[2, 2])
    sketch.node("LeakyRelu", "a", "b", alpha=0.1)
    sketch.constant("scales", np.asarray([1, 1, 2, 3], np.float32))
    sketch.node("Resize", "b - scales", "c", mode="nearest", coordinate_transformation_mode="asymmetric",
                nearest_mode="floor")  # fmt: skip
    sketch.weights("d.weight", 8, 8, 3, 3)
    sketch.node("Conv", "c d.weight", "d", pads=[1, 1, 1, 1])
    sketch.node("Mul", "d c", "e")
    sketch.node("GlobalAveragePool", "e", "f")
    sketch.node("Flatten", "f", "g")
    sketch.weights("fc.weight", 8, 5)
    sketch.node("Gemm", "g fc.weight", "y")
    return sketch.save(("n", 3, 10, 8))


def test_enlarged_and_multiplied_images_run_in_integers(enlarging: Path) -> None:
    network = read_onnx(enlarging)
    x = np.random.default_rng(1).normal(size=(7, 3, 10, 8)).astype(np.float32)
    (real,) = outputs_of_file(enlarging, {"x": x})
    np.testing.assert_allclose(FloatSession(network).run(x), real, rtol=1e-4, atol=1e-4)
    weights, activations = quantized(network, calibrated(network, x), "w8c-a8t", "minmax")
    session = build_session(QuantizedNetwork(network, weights, activations), threads=2)
    assert session.execution == "integer"
    (expected,) = outputs_of_file(qdq_onnx_bytes(QuantizedNetwork(network, weights, activations)), {"x": x})
    found = session.run(x)
    assert np.abs(found - expected).max() < 0.02 * np.abs(real).max()
