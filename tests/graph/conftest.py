"""Small ONNX files, made on the spot, and a way to run any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from qbench.graph import Network, read_onnx, to_onnx_bytes
from tests.graph.oracle import session

Floats = npt.NDArray[np.float32]


class Sketch:
    """A graph in the making: `x` is its input, `y` its output unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sketch.onnx"
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.generator = np.random.default_rng(0)

    def constant(self, name: str, value: Any) -> str:
        """Add an initializer."""
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weights(self, name: str, *shape: int, low: float = -0.5) -> str:
        """Add a float32 initializer of random numbers in low..0.5."""
        return self.constant(name, self.generator.uniform(low, 0.5, shape).astype(np.float32))

    def node(self, op: str, inputs: str, output: str, name: str = "", /, **attributes: Any) -> None:
        """Add a node; inputs and outputs are words, `-` stands for one that is left out."""
        given, made = ([word.replace("-", "") for word in words.split()] for words in (inputs, output))
        self.nodes.append(helper.make_node(op, given, made, name=name, **attributes))

    def norm(self, source: str, output: str, channels: int, name: str = "") -> None:
        """Add a batch normalization with random numbers."""
        parts = [
            self.weights(f"{output}.{part}", channels, low=0.1 if part == "v" else -0.5)
            for part in ("g", "b", "m", "v")
        ]
        self.node("BatchNormalization", " ".join([source, *parts]), output, name)

    def save(
        self, shape: Sequence[int | str | None] = ("n", 3, 8, 8), *, opset: int = 17, outputs: str = "y",
        kind: int = TensorProto.FLOAT, inputs: str = "x",
    ) -> Path:  # fmt: skip
        """Write the file and return its path."""
        given = [helper.make_tensor_value_info(name, kind, shape) for name in inputs.split()]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
        graph = helper.make_graph(self.nodes, "main", given, made, list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        self.path.write_bytes(model.SerializeToString())
        return self.path


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    return Sketch(tmp_path)


def run(model: Path | bytes, x: Floats) -> Floats:
    runtime = session(model)
    result: Floats = runtime.run(None, {runtime.get_inputs()[0].name: x})[0]
    return result


@pytest.fixture
def same() -> Callable[[Path], Network]:
    """Return a check that a file and the network read from it compute the same, which returns the network."""

    def check(path: Path, *, batch: int = 3) -> Network:
        network = read_onnx(path)
        x = np.random.default_rng(1).normal(size=(batch, *network.input_shape)).astype(np.float32)
        expected, found = run(path, x), run(to_onnx_bytes(network), x)
        assert expected.shape == found.shape == (batch, *network.shapes[network.output])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        return network

    return check


@pytest.fixture
def run_onnx() -> Callable[[Path | bytes, Floats], Floats]:
    return run
