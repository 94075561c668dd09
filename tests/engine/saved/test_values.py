"""Every kind of node that the graph knows is saved and read again, field by field, without code for it here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.engine.saved.network import load_network, save_network
from qbench.engine.saved.values import CLASSES
from qbench.graph import Conv, QuantizedNetwork, depth_weights, read_onnx
from qbench.graph.network import Node
from qbench.methods.mse import MSE

FOLDER = Path(__file__).parents[2] / "graph" / "exported"
FILES = sorted(path.name for path in FOLDER.glob("*.onnx"))


def test_every_kind_of_node_has_a_saved_form() -> None:
    assert {kind.__name__ for kind in get_args(Node)} <= set(CLASSES)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last bit."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)


@pytest.mark.parametrize("name", FILES)
def test_an_exported_network_is_the_same_when_it_is_read_again(name: str, tmp_path: Path) -> None:
    network = read_onnx(FOLDER / name)
    spec = parse_spec("w4c-a32").weights
    weights = {layer.name: MSE.quantize_weights(depth_weights(layer), spec) for layer in network.layers[::2]}
    save_network(tmp_path, QuantizedNetwork(network, weights, {}), facts={"source": name})
    saved = load_network(tmp_path)
    for node, again in zip(network.nodes, saved.network.nodes, strict=True):
        if node.name in weights:
            assert same(weights[node.name].codes, saved.quantized.weights[node.name].codes)
            node = dataclasses.replace(node, weight=again.weight)
            assert again.weight.shape == next(layer.weight.shape for layer in network.layers if layer.name == node.name)
            assert isinstance(again, Conv) or same(again.weight, weights[node.name].dequantize())
        assert same(node, again), node.name
    assert same(dataclasses.replace(network, nodes=()), dataclasses.replace(saved.network, nodes=()))
