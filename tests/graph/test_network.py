"""Counting and looking up."""

from __future__ import annotations

import pytest

from qbench.graph import inputs_of, read_onnx
from qbench.zoo import model_path


def test_operations_are_two_a_multiply_add() -> None:
    network = read_onnx(model_path("resnet20"))
    assert network.operations("stem") == 2 * 16 * 32 * 32 * 27
    assert network.operations("blocks.3.shortcut") == 2 * 32 * 16 * 16 * 16
    assert network.operations("classifier") == 2 * 640
    assert network.operations("global_average") == 64 * 64
    assert network.operations("flatten") == 0
    assert sum(network.operations(layer.name) for layer in network.layers) == 81_626_368


def test_consumers_are_found_as_input_and_as_residual() -> None:
    network = read_onnx(model_path("resnet20"))
    assert [node.name for node in network.consumers("stem")] == ["blocks.0.conv1", "blocks.0.conv2"]
    assert network.consumers("logits") == ()
    assert inputs_of(network.node("blocks.3.conv2")) == ("blocks.3.conv1", "blocks.3.shortcut")
    with pytest.raises(KeyError):
        network.node("nothing")
