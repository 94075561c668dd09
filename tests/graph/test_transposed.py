"""Transposed convolutions are convolutions whose phases are put between each other."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.graph import Add, Conv, DepthToSpace, Unary, read_onnx, to_onnx_bytes
from tests.graph.conftest import Sketch
from tests.graph.oracle import outputs_of_file

CASES = [
    (kernel, stride, pad, more, groups)
    for kernel in (1, 2, 3, 4, 5, 6)
    for stride in (2, 3)
    for pad in (0, 1, 2)
    for more in (0, 1)
    for groups in (1, 2)
    if 2 * pad < kernel and more < stride
]


@pytest.mark.parametrize(("kernel", "stride", "pad", "more", "groups"), CASES)
def test_transposed_convolution_computes_the_same(
    sketch: Sketch, kernel: int, stride: int, pad: int, more: int, groups: int
) -> None:
    sketch.weights("w", 4, 6 // groups, kernel, kernel)
    sketch.weights("b", 6)
    sketch.node(
        "ConvTranspose", "x w b", "y", strides=[stride] * 2, pads=[pad] * 4, output_padding=[more] * 2, group=groups
    )  # fmt: skip
    path = sketch.save(("n", 4, 5, 3))
    network = read_onnx(path)
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    (found,), (expected,) = outputs_of_file(to_onnx_bytes(network), {"x": x}), outputs_of_file(path, {"x": x})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    if (kernel, stride) in {(2, 2), (3, 3)} and not pad and not more:
        assert [type(node) for node in network.nodes] == [Conv, DepthToSpace]
        assert network.layers[0].weight.shape[2:] == (1, 1)


def test_what_follows_is_taken_into_the_convolution(sketch: Sketch) -> None:
    sketch.weights("w", 3, 4, 2, 2)
    sketch.node("ConvTranspose", "x w", "a", strides=[2, 2])
    sketch.norm("a", "n", 4)
    sketch.norm("n", "b", 4)
    sketch.node("Relu", "b", "c")
    sketch.node("Sigmoid", "c", "d")
    sketch.node("Add", "d d", "y")
    path = sketch.save()
    network = read_onnx(path)
    assert [type(node) for node in network.nodes] == [Conv, Unary, DepthToSpace, Add]
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (found,), (expected,) = outputs_of_file(to_onnx_bytes(network), {"x": x}), outputs_of_file(path, {"x": x})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
