"""What is read computes what the file computes, in onnxruntime, and comes out fused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from qbench.graph import Activation, Add, Clamp, Conv, Flatten, Linear, Network, Pool, read_onnx
from qbench.zoo import model_path

if TYPE_CHECKING:
    from tests.graph.conftest import Sketch

Same = Callable[..., Network]


def test_packaged_resnet_is_read_whole_and_named_readably(same: Same) -> None:
    network = same(model_path("resnet20"))
    names = [layer.name for layer in network.layers]
    assert len(names) == 22
    assert names[:3] == ["stem", "blocks.0.conv1", "blocks.0.conv2"]
    assert {"blocks.3.shortcut", "blocks.6.shortcut"} < set(names)
    assert names[-1] == "classifier"
    assert [type(node) for node in network.nodes[-3:]] == [Pool, Flatten, Linear]
    assert not any(isinstance(node, Add | Activation) for node in network.nodes)
    assert (network.input, network.input_shape, network.output) == ("images", (3, 32, 32), "logits")
    assert network.metadata["dataset"] == "cifar10"
    assert len(network.sha256) == 64


def test_residual_sum_goes_into_the_deeper_convolution(same: Same) -> None:
    network = same(model_path("resnet20"))
    host = network.node("blocks.3.conv2")
    assert isinstance(host, Conv)
    assert host.residual == "blocks.3.shortcut"
    assert host.activation == Clamp(0.0, math.inf)
    order = [node.name for node in network.nodes]
    assert order.index("blocks.3.shortcut") < order.index("blocks.3.conv2")
    assert sum(isinstance(node, Conv) and node.residual is not None for node in network.nodes) == 9


def test_mobile_block_with_unfolded_norms_is_fused(sketch: Sketch, same: Same) -> None:
    sketch.weights("expand.weight", 6, 3, 1, 1)
    sketch.node("Conv", "x expand.weight", "a")
    sketch.norm("a", "b", 6)
    sketch.constant("zero", np.float32(0))
    sketch.constant("six", np.float32(6))
    sketch.node("Clip", "b zero six", "c")
    sketch.weights("deep.weight", 6, 1, 3, 3)
    sketch.node("Conv", "c deep.weight", "d", group=6, auto_pad="SAME_UPPER")
    sketch.norm("d", "e", 6)
    sketch.node("Clip", "e zero six", "f")
    sketch.weights("project.weight", 3, 6, 1, 1)
    sketch.node("Conv", "f project.weight", "g")
    sketch.norm("g", "h", 3)
    sketch.node("Add", "x h", "y")
    network = same(sketch.save())
    assert [node.name for node in network.nodes] == ["expand", "deep", "project"]
    project = network.node("project")
    assert isinstance(project, Conv)
    assert (project.residual, project.activation) == ("x", None)
    assert network.shapes == {"x": (3, 8, 8), "expand": (6, 8, 8), "deep": (6, 8, 8), "y": (3, 8, 8)}


def test_sum_that_no_convolution_can_take_stays_and_takes_its_relu(sketch: Sketch, same: Same) -> None:
    sketch.weights("one.weight", 3, 3, 3, 3)
    sketch.node("Conv", "x one.weight", "a", pads=[1, 1, 1, 1])
    sketch.node("Relu", "a", "b")
    sketch.node("Add", "b x", "c", "/sum/Add")
    sketch.node("Relu", "c", "y")
    network = same(sketch.save())
    assert network.node("sum.add") == Add("sum.add", ("one", "x"), "y", Clamp(0.0, math.inf))


def test_convolution_that_others_read_too_takes_in_nothing(sketch: Sketch, same: Same) -> None:
    sketch.weights("one.weight", 3, 3, 1, 1)
    sketch.node("Conv", "x one.weight", "a")
    sketch.node("Relu", "a", "b", "/act/Relu")
    sketch.node("Add", "a b", "y", "/sum/Add")
    network = same(sketch.save())
    assert [type(node) for node in network.nodes] == [Conv, Activation, Add]
    assert [node.name for node in network.nodes] == ["one", "act.clamp", "sum.add"]


def test_output_of_the_network_is_not_fused_away(sketch: Sketch, same: Same) -> None:
    sketch.weights("one.weight", 3, 3, 1, 1)
    sketch.node("Conv", "x one.weight", "y")
    sketch.node("Relu", "y", "unread")
    network = same(sketch.save())
    assert [(node.name, node.output) for node in network.nodes] == [("one", "y")]


def test_classifier_of_every_spelling_is_a_linear(sketch: Sketch, same: Same) -> None:
    sketch.node("Flatten", "x", "flat")
    sketch.weights("a.weight", 48, 12)
    sketch.weights("a.bias", 1, 12)
    sketch.node("Gemm", "flat a.weight a.bias", "a", alpha=0.5, beta=2.0)
    sketch.norm("a", "an", 12)
    sketch.weights("b.raw", 8, 12)
    sketch.node("Transpose", "b.raw", "b.weight", perm=[1, 0])
    sketch.node("MatMul", "an b.weight", "b")
    sketch.weights("b.bias", 8)
    sketch.node("Add", "b.bias b", "bb")
    sketch.node("Relu", "bb", "br")
    sketch.weights("c.weight", 5, 8)
    sketch.node("Gemm", "br c.weight", "y", transB=1)
    network = same(sketch.save(("n", 3, 4, 4)))
    assert [(layer.name, layer.weight.shape) for layer in network.layers] == [
        ("a", (12, 48)),
        ("b", (8, 12)),
        ("c", (5, 8)),
    ]
    assert len(network.nodes) == 4


@pytest.mark.parametrize("opset", [9, 13, 17, 18])
def test_sums_and_products_with_constants_are_folded(sketch: Sketch, same: Same, opset: int) -> None:
    sketch.weights("one.weight", 4, 3, 3, 3)
    sketch.node("Conv", "x one.weight", "a", pads=[1, 0, 1, 2], strides=[2, 1], dilations=[1, 2])
    for index, op in enumerate(("Add", "Mul", "Sub", "Div")):
        sketch.weights(f"k{index}", 4, 1, 1, low=0.2)
        sketch.node(op, f"{'abcd'[index]} k{index}", f"{'bcdy'[index]}")
    network = same(sketch.save(opset=opset))
    assert [type(node) for node in network.nodes] == [Conv]


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_automatic_padding_is_spelled_out(sketch: Sketch, same: Same, mode: str, stride: int) -> None:
    sketch.weights("w", 2, 3, 3, 4)
    sketch.node("Conv", "x w", "a", auto_pad=mode, strides=[stride, stride])
    sketch.node("MaxPool", "a", "y", kernel_shape=[2, 2], auto_pad=mode)
    same(sketch.save(("n", 3, 11, 14)))


def test_padding_node_is_merged_into_the_convolution(sketch: Sketch, same: Same) -> None:
    sketch.constant("pads", np.asarray([0, 0, 1, 2, 0, 0, 3, 0]))
    sketch.node("Pad", "x pads", "a")
    sketch.weights("w", 2, 3, 3, 3)
    sketch.node("Conv", "a w", "y", pads=[0, 1, 0, 1])
    network = same(sketch.save())
    (conv,) = network.nodes
    assert isinstance(conv, Conv)
    assert conv.pads == (1, 3, 3, 1)


@pytest.mark.parametrize("size", [7, 8, 9, 10, 11])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 2, 1), (3, 2, 0), (2, 2, 0), (3, 3, 1), (2, 3, 0)])
def test_maximum_pool_in_ceil_mode(sketch: Sketch, same: Same, size: int, kernel: int, stride: int, pad: int) -> None:
    shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    sketch.node("MaxPool", "x", "y", ceil_mode=1, **shape)
    same(sketch.save(("n", 2, size, size)))


@pytest.mark.parametrize("include", [0, 1])
def test_average_pool_with_padding(sketch: Sketch, same: Same, include: int) -> None:
    shape = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]}
    sketch.node("AveragePool", "x", "y", count_include_pad=include, **shape)
    (pool,) = same(sketch.save()).nodes
    assert isinstance(pool, Pool)
    assert pool.count_include_pad == bool(include)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("opset", [13, 18])
def test_mean_over_the_image_is_a_global_average(sketch: Sketch, same: Same, keep: int, opset: int) -> None:
    axes = {"axes": [2, 3]} if opset < 18 else {}
    sketch.constant("axes", np.asarray([-1, -2]))
    sketch.node("ReduceMean", "x" if opset < 18 else "x axes", "m", keepdims=keep, **axes)
    sketch.node("Flatten" if keep else "Relu", "m", "y")
    network = same(sketch.save(opset=opset))
    assert [type(node) for node in network.nodes] == [Pool, Flatten] + [Activation] * (not keep)
    pool = network.nodes[0]
    assert isinstance(pool, Pool)
    assert (pool.kind, pool.kernel) == ("global_average", (8, 8))


def test_global_maximum_and_squeeze(sketch: Sketch, same: Same) -> None:
    sketch.node("GlobalMaxPool", "x", "m")
    sketch.constant("axes", np.asarray([2, 3]))
    sketch.node("Squeeze", "m axes", "y")
    assert [type(node) for node in same(sketch.save()).nodes] == [Pool, Flatten]


@pytest.mark.parametrize("target", [[-1, 192], [0, -1], [0, 192]])
def test_reshape_to_two_dimensions_is_a_flatten(sketch: Sketch, same: Same, target: list[int]) -> None:
    sketch.node("Constant", "", "shape", value_ints=target)
    sketch.node("Reshape", "x shape", "y")
    assert [type(node) for node in same(sketch.save()).nodes] == [Flatten]


def test_reshape_to_a_computed_shape_is_a_flatten(sketch: Sketch, same: Same) -> None:
    sketch.weights("w", 4, 3, 3, 3)
    sketch.node("Conv", "x w", "a")
    sketch.node("Shape", "a", "sizes")
    sketch.constant("zero", np.asarray(0))
    sketch.node("Gather", "sizes zero", "n")
    sketch.constant("axes", np.asarray([0]))
    sketch.node("Unsqueeze", "n axes", "n1")
    sketch.constant("rest", np.asarray([-1]))
    sketch.node("Concat", "n1 rest", "target", axis=0)
    sketch.node("Reshape", "a target", "y")
    assert [type(node) for node in same(sketch.save()).nodes] == [Conv, Flatten]


def test_nodes_in_any_order_and_unread_ones_are_no_trouble(sketch: Sketch, tmp_path: Path) -> None:
    sketch.weights("a.weight", 3, 3, 1, 1)
    sketch.node("Relu", "a", "y")
    sketch.node("NonMaxSuppression", "x x", "unread")
    sketch.node("Conv", "x a.weight", "a")
    network = read_onnx(sketch.save())
    assert [node.name for node in network.nodes] == ["a"]


def test_shared_constants_behind_identities_are_found(sketch: Sketch, same: Same) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Identity", "w", "w2")
    sketch.node("Identity", "x", "x2")
    sketch.node("Conv", "x2 w", "a")
    sketch.node("Dropout", "a", "b mask")
    sketch.node("Conv", "b w2", "c")
    sketch.node("Identity", "c", "y")
    network = same(sketch.save())
    assert [(node.name, node.output) for node in network.nodes] == [("conv", "conv"), ("conv_2", "y")]


def test_relu_and_clip_in_a_row_are_one_clamp(sketch: Sketch, same: Same) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "a")
    sketch.node("Relu", "a", "b")
    sketch.constant("low", np.float32(-1))
    sketch.constant("high", np.float32(0.3))
    sketch.node("Clip", "b low high", "c")
    sketch.node("Clip", "c - high", "y")
    (conv,) = same(sketch.save()).nodes
    assert isinstance(conv, Conv)
    assert conv.activation == Clamp(0.0, float(np.float32(0.3)))


def test_file_with_a_fixed_batch_is_read_as_any_other(sketch: Sketch) -> None:
    sketch.constant("shape", np.asarray([1, -1]))
    sketch.node("Reshape", "x shape", "y")
    assert read_onnx(sketch.save((1, 3, 8, 8))).shapes["y"] == (192,)


def test_old_operator_set_with_attributes_is_read(sketch: Sketch, same: Same) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Pad", "x", "p", pads=[0, 0, 1, 1, 0, 0, 1, 1])
    sketch.node("Conv", "p w", "a")
    sketch.node("Clip", "a", "b", min=0.0, max=0.25)
    sketch.node("Dropout", "b", "c", ratio=0.5)
    sketch.node("GlobalAveragePool", "c", "d")
    sketch.node("Squeeze", "d", "y", axes=[2, 3])
    network = same(sketch.save(opset=9))
    assert [type(node) for node in network.nodes] == [Conv, Pool, Flatten]


def test_constants_that_the_reference_of_onnx_cannot_compute_are_computed_or_left(sketch: Sketch) -> None:
    sketch.constant("ids", np.zeros((1, 512), np.int64))
    sketch.constant("places", np.arange(8)[None])
    sketch.node("GatherElements", "ids places", "kinds", axis=1)
    sketch.weights("table", 2, 3)
    sketch.node("Gather", "table kinds", "rows")
    sketch.node("Add", "x rows", "y")
    assert len(read_onnx(sketch.save(("n", 8, 3))).foreign) == 1


def test_padding_that_is_computed_from_the_size_of_the_image_is_folded(sketch: Sketch) -> None:
    sketch.node("Shape", "x", "shape", start=2)
    sketch.node("Cast", "shape", "real", to=1)
    for name, value in (("two", 2.0), ("one", 1.0), ("three", 3.0), ("none", 0.0)):
        sketch.constant(name, np.float32(value))
    sketch.node("Div", "real two", "half")
    sketch.node("Ceil", "half", "windows")
    sketch.node("Sub", "windows one", "steps")
    sketch.node("Mul", "steps two", "strided")
    sketch.node("Add", "strided three", "wanted")
    sketch.node("Sub", "wanted real", "missing")
    sketch.node("Clip", "missing none", "added")
    sketch.node("Cast", "added", "whole", to=7)
    sketch.constant("zeros4", np.zeros(4, np.int64))
    sketch.constant("zeros2", np.zeros(2, np.int64))
    sketch.node("Concat", "zeros4 zeros2 whole", "pads", axis=0)
    sketch.node("Pad", "x pads", "p")
    sketch.weights("w", 4, 3, 3, 3)
    sketch.node("Conv", "p w", "y", strides=[2, 2])
    (conv,) = read_onnx(sketch.save()).nodes
    assert isinstance(conv, Conv)
    assert conv.pads == (0, 0, 1, 1)
