"""What has no typed node is cut out whole, told why, and computes the same when it is written back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from qbench.graph import (
    Activation,
    Add,
    Attention,
    ChannelAffine,
    Concat,
    Conv,
    Flatten,
    Foreign,
    Linear,
    Mul,
    Network,
    Pool,
    Resize,
    Select,
    Softmax,
    Unary,
    read_onnx,
    to_onnx_bytes,
)
from qbench.graph.nodes import Interpolate
from tests.graph.oracle import assert_close, feeds_of, outputs_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.graph.conftest import Sketch


def same(path: Path, *, batch: int = 3) -> Network:
    network = read_onnx(path)
    feeds = feeds_of(path, batch=batch)
    assert_close(outputs_of_file(to_onnx_bytes(network), feeds), outputs_of_file(path, feeds))
    return network


def kinds(network: Network) -> list[type]:
    return [type(node) for node in network.nodes]


Draw = Callable[["Sketch"], None]


def _sum_that_broadcasts(sketch: Sketch) -> None:
    sketch.node("GlobalAveragePool", "x", "a")
    sketch.node("Add", "x a", "y")


def _sum_of_several(sketch: Sketch) -> None:
    sketch.node("Sigmoid", "x", "a")
    sketch.node("Tanh", "x", "b")
    sketch.node("Sum", "x a b", "y")


def _difference(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "a")
    sketch.node("Sub", "x a", "y")


def _largest(sketch: Sketch) -> None:
    sketch.node("ReduceMax", "x", "y", axes=[2, 3], keepdims=0)


def _gate(sketch: Sketch) -> None:
    sketch.node("GlobalAveragePool", "x", "a")
    sketch.node("Sigmoid", "a", "b")
    sketch.node("Mul", "b x", "c")
    sketch.node("Relu", "c", "y")


def _square(sketch: Sketch) -> None:
    sketch.node("Mul", "x x", "y")


def _norm_after_relu(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "a")
    sketch.norm("a", "b", 3)
    sketch.node("Relu", "b", "y")


def _linear_over_pixels(sketch: Sketch) -> None:
    sketch.weights("w", 8, 5)
    sketch.node("MatMul", "x w", "y")


def _pad_before_a_pool(sketch: Sketch) -> None:
    sketch.constant("pads", np.asarray([0, 0, 1, 1, 0, 0, 1, 1]))
    sketch.node("Pad", "x pads", "a")
    sketch.node("MaxPool", "a", "y", kernel_shape=[2, 2])


def _reflecting_pad(sketch: Sketch) -> None:
    sketch.constant("pads", np.asarray([0, 0, 1, 1, 0, 0, 1, 1]))
    sketch.node("Pad", "x pads", "y", mode="reflect")


def _average_in_ceil_mode(sketch: Sketch) -> None:
    sketch.node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)


def _average_in_ceil_mode_with_padding_counted(sketch: Sketch) -> None:
    shape = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    sketch.node("AveragePool", "x", "y", ceil_mode=1, count_include_pad=1, **shape)


def _constant_a_pixel(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "a")
    sketch.weights("k", 8, 8)
    sketch.node("Add", "a k", "y")


def _constant_on_the_left(sketch: Sketch) -> None:
    sketch.constant("k", np.float32(2))
    sketch.node("Sub", "k x", "a")
    sketch.node("Abs", "a", "b")
    sketch.node("Add", "b k", "c")
    sketch.node("Div", "k c", "y")


def _clip_upside_down(sketch: Sketch) -> None:
    sketch.constant("low", np.float32(2))
    sketch.constant("high", np.float32(1))
    sketch.node("Clip", "x low high", "y")


def _mean_over_channels(sketch: Sketch) -> None:
    sketch.node("ReduceMean", "x", "y", axes=[1, 2])


def _computed_weights(sketch: Sketch) -> None:
    sketch.constant("shape", np.asarray([3, 3, 8, 8]))
    sketch.node("Reshape", "x shape", "w")
    sketch.node("Conv", "x w", "y")


def _slope_a_channel(sketch: Sketch) -> None:
    sketch.weights("slope", 3, 1, 1)
    sketch.node("PRelu", "x slope", "y")


def _parts_side_by_side(sketch: Sketch) -> None:
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "x w", "a")
    sketch.node("Split", "a", "b c", axis=1)
    sketch.node("MaxPool", "b", "d", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    sketch.node("Concat", "d c x", "y", axis=-3)


def _channels_picked(sketch: Sketch) -> None:
    sketch.constant("order", np.asarray([2, -3, 1]))
    sketch.node("Gather", "x order", "a", axis=1)
    for name, value in (("start", [2]), ("end", [-9]), ("axis", [1]), ("step", [-2])):
        sketch.constant(name, np.asarray(value))
    sketch.node("Slice", "a start end axis step", "y")


def _doubled(sketch: Sketch) -> None:
    sketch.constant("scales", np.asarray([1, 1, 2, 3], np.float32))
    sketch.node("Resize", "x - scales", "y", mode="nearest", coordinate_transformation_mode="asymmetric",
                nearest_mode="floor")  # fmt: skip


def _enlarged_between_pixels(sketch: Sketch) -> None:
    sketch.constant("scales", np.asarray([1, 1, 2, 2], np.float32))
    sketch.node("Resize", "x - scales", "y", mode="linear")


def _probabilities(sketch: Sketch) -> None:
    sketch.node("Flatten", "x", "a")
    sketch.weights("w", 192, 4)
    sketch.node("MatMul", "a w", "b")
    sketch.node("Softmax", "b", "y")


def _pixels_in_rows(sketch: Sketch) -> None:
    sketch.node("Transpose", "x", "y", perm=[0, 2, 3, 1])


def _there_and_back(sketch: Sketch) -> None:
    sketch.node("Transpose", "x", "a", perm=[0, 2, 3, 1])
    sketch.node("Transpose", "a", "b", perm=[0, 3, 1, 2])
    sketch.node("Relu", "b", "y")


def _negated(sketch: Sketch) -> None:
    sketch.node("Neg", "x", "a")
    sketch.constant("low", np.float32(0.25))
    sketch.node("Max", "low a", "y")


GRAPHS: dict[str, tuple[Draw, list[type]]] = {
    "a sum that broadcasts": (_sum_that_broadcasts, [Pool, Foreign]),
    "a gate": (_gate, [Pool, Unary, Mul]),
    "a square": (_square, [Mul]),
    "a norm after a relu": (_norm_after_relu, [Activation, ChannelAffine]),
    "a linear over pixels": (_linear_over_pixels, [Foreign, Linear, Foreign]),
    "padding before a pool": (_pad_before_a_pool, [Foreign, Pool]),
    "a reflecting pad": (_reflecting_pad, [Foreign]),
    "an average in ceil mode": (_average_in_ceil_mode, [Pool]),
    "an average that counts padding in ceil mode": (_average_in_ceil_mode_with_padding_counted, [Foreign]),
    "a constant a pixel": (_constant_a_pixel, [Conv, Foreign]),
    "constants on the left": (_constant_on_the_left, [ChannelAffine, Unary, ChannelAffine, Unary, ChannelAffine]),
    "a clip upside down": (_clip_upside_down, [Activation]),
    "a mean over channels": (_mean_over_channels, [Foreign]),
    "computed weights": (_computed_weights, [Foreign]),
    "a slope per channel": (_slope_a_channel, [Activation, Activation, ChannelAffine, Add]),
    "a sum of several": (_sum_of_several, [Unary, Unary, Add, Add]),
    "a difference": (_difference, [Conv]),
    "the largest of an image": (_largest, [Pool, Flatten]),
    "parts side by side": (_parts_side_by_side, [Conv, Select, Select, Pool, Concat]),
    "channels picked": (_channels_picked, [Select, Select]),
    "an image doubled": (_doubled, [Resize]),
    "an image interpolated": (_enlarged_between_pixels, [Interpolate]),
    "probabilities": (_probabilities, [Flatten, Linear, Softmax]),
    "pixels in rows": (_pixels_in_rows, [Foreign]),
    "axes moved there and back": (_there_and_back, [Activation]),
    "a negation": (_negated, [ChannelAffine]),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graph_is_read_as_expected_and_computes_the_same(sketch: Sketch, case: str) -> None:
    draw, expected = GRAPHS[case]
    draw(sketch)
    assert kinds(same(sketch.save())) == expected


def test_foreign_node_says_what_is_inside_and_why(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "a")
    sketch.node("LRN", "a", "b", "/head/LRN", size=3)
    sketch.node("Ceil", "b", "c", "/head/Ceil")
    sketch.node("Relu", "c", "y")
    (foreign,) = same(sketch.save()).foreign
    assert (foreign.name, foreign.operators, len(foreign.inputs), len(foreign.outputs)) == (
        "head.foreign", ("LRN", "Ceil"), 1, 1,
    )  # fmt: skip
    assert foreign.reasons[0] == "node '/head/LRN' (LRN): it has no typed node"
    inner = onnx.load_from_string(foreign.model)
    onnx.checker.check_model(inner, full_check=True)
    assert [node.op_type for node in inner.graph.node] == ["LRN", "Ceil"]


def test_neighbours_with_a_typed_node_on_a_way_between_them_stay_apart(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Ceil", "x", "a")
    sketch.node("Conv", "a w", "b")
    sketch.node("Div", "a b", "y")
    assert kinds(same(sketch.save())) == [Foreign, Conv, Foreign]


def test_function_that_is_clamped_far_out_keeps_its_clamp(sketch: Sketch) -> None:
    sketch.constant("low", np.float32(-100))
    sketch.constant("high", np.float32(100))
    sketch.node("Sigmoid", "x", "a")
    sketch.node("Mul", "x a", "b")
    sketch.node("Clip", "b low high", "y")
    network = same(sketch.save())
    assert kinds(network) == [Unary, Activation]


def test_spelled_out_gelu_of_any_order_is_one_function(sketch: Sketch) -> None:
    for name, value in (("root", 1.4142135), ("one", 1.0), ("half", 0.5)):
        sketch.constant(name, np.float32(value))
    sketch.node("Mul", "half x", "a")
    sketch.node("Div", "x root", "b")
    sketch.node("Erf", "b", "c")
    sketch.node("Add", "one c", "d")
    sketch.node("Mul", "d a", "y")
    (node,) = same(sketch.save()).nodes
    assert isinstance(node, Unary)
    assert node.function == "gelu"


def test_attention_of_which_others_read_a_part_leaves_that_part_in_place(sketch: Sketch) -> None:
    for name, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        sketch.weights(f"{name}.weight", 8, 8)
        sketch.node("MatMul", f"x {name}.weight", f"{name}1")
        sketch.constant("cut", np.asarray([0, 0, 2, 4]))
        sketch.node("Reshape", f"{name}1 cut", f"{name}2")
        sketch.node("Transpose", f"{name}2", f"{name}3", perm=order)
    sketch.node("MatMul", "q3 k3", "scores")
    sketch.node("Softmax", "scores", "shares", axis=-1)
    sketch.node("MatMul", "shares v3", "mixed")
    sketch.node("Transpose", "mixed", "back", perm=[0, 2, 1, 3])
    sketch.constant("join", np.asarray([0, 0, 8]))
    sketch.node("Reshape", "back join", "y")
    sketch.node("Ceil", "v3", "seen")
    network = same(sketch.save(("n", 5, 8), outputs="y seen"))
    assert kinds(network).count(Attention) == 1
    assert [foreign.operators for foreign in network.foreign] == [("Reshape", "Transpose", "Ceil")]


def test_several_inputs_and_outputs_keep_their_names(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "a w", "c")
    sketch.node("Add", "c b", "sum")
    sketch.node("Relu", "sum", "top")
    sketch.node("Sigmoid", "c", "side")
    network = same(sketch.save(inputs="a b", outputs="side top"))
    assert (network.inputs, network.outputs) == (("a", "b"), ("side", "top"))
    assert (network.input, network.output) == ("a", "side")
    assert kinds(network) == [Conv, Add, Unary]


def test_output_that_is_read_or_doubled_keeps_its_name(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "a")
    sketch.node("Identity", "a", "b")
    sketch.node("Sigmoid", "b", "c")
    network = same(sketch.save(outputs="a b c x"))
    assert network.outputs == ("a", "b", "c", "x")
    assert kinds(network) == [Activation, Unary, Foreign]


def test_branch_that_is_known_is_taken(sketch: Sketch) -> None:
    branches = {}
    for key, op in (("then_branch", "Relu"), ("else_branch", "Ceil")):
        node = helper.make_node(op, ["x"], [key])
        branches[key] = helper.make_graph([node], key, [], [helper.make_tensor_value_info(key, 1, None)])
    sketch.node("Shape", "x", "s")
    sketch.constant("i", np.asarray(1))
    sketch.constant("three", np.asarray(3))
    sketch.node("Gather", "s i", "c")
    sketch.node("Equal", "c three", "known")
    sketch.node("If", "known", "y", **branches)
    assert kinds(same(sketch.save())) == [Activation]


def test_branch_that_only_the_images_decide_is_foreign_with_what_it_captures(sketch: Sketch) -> None:
    branches: dict[str, Any] = {}
    for key, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        node = helper.make_node(op, ["a"], [key])
        branches[key] = helper.make_graph([node], key, [], [helper.make_tensor_value_info(key, 1, None)])
    sketch.node("Abs", "x", "a")
    sketch.node("ReduceSum", "a", "sum", keepdims=0)
    sketch.constant("k", np.float32(10))
    sketch.node("Greater", "sum k", "c")
    sketch.node("If", "c", "y", **branches)
    network = same(sketch.save())
    assert kinds(network) == [Unary, Foreign]
    assert network.shapes["y"] == (-1,) or network.shapes["y"] == (3, 8, 8)


def test_file_with_a_fixed_batch_that_reshapes_it_is_read_for_any(sketch: Sketch) -> None:
    sketch.constant("shape", np.asarray([1, 24, 8]))
    sketch.node("Reshape", "x shape", "a")
    sketch.node("Ceil", "a", "y")
    network = read_onnx(sketch.save((1, 3, 8, 8)))
    assert network.batch is None
    content = to_onnx_bytes(network)
    x = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    (found,) = outputs_of_file(content, {"x": x})
    np.testing.assert_array_equal(found, np.ceil(x).reshape(4, 24, 8))


def test_reshape_of_what_is_no_batch_is_left_alone(sketch: Sketch) -> None:
    sketch.constant("start", np.asarray(0))
    sketch.constant("one", np.asarray(1))
    sketch.node("Shape", "x", "sizes")
    sketch.constant("three", np.asarray(3))
    sketch.node("Gather", "sizes three", "width")
    sketch.node("Range", "start width one", "columns")
    sketch.constant("row", np.asarray([1, -1]))
    sketch.node("Reshape", "columns row", "a")
    sketch.node("Cast", "a", "b", to=TensorProto.FLOAT)
    sketch.node("Add", "x b", "y")
    assert same(sketch.save((1, 3, 4, 8)), batch=1).batch is None


def test_file_that_needs_its_batch_says_so(sketch: Sketch) -> None:
    sketch.weights("k", 2, 3, 8, 8)
    sketch.node("Concat", "x k", "a", axis=1)
    sketch.node("Ceil", "a", "y")
    assert same(sketch.save((2, 3, 8, 8))).batch == 2


def test_whole_numbers_are_told_by_their_types(sketch: Sketch) -> None:
    sketch.weights("table", 10, 6)
    sketch.node("Gather", "table x", "a")
    sketch.weights("w", 6, 4)
    sketch.node("MatMul", "a w", "b")
    sketch.node("Shape", "b", "y")
    network = read_onnx(sketch.save(("n", "t"), kind=TensorProto.INT32))
    assert network.dtypes == {"x": "int32", "y": "int64"}
    assert "y" in network.unbatched
    assert network.shapes["x"] == (-1,)


def test_function_that_the_file_defines_is_put_in_place(sketch: Sketch) -> None:
    path = sketch.path
    sketch.node("Swishy", "x", "y", domain="mine")
    sketch.save()
    model = onnx.load(path)
    body = [helper.make_node("Sigmoid", ["v"], ["g"]), helper.make_node("Mul", ["v", "g"], ["w"])]
    function = helper.make_function("mine", "Swishy", ["v"], ["w"], body, [helper.make_opsetid("", 17)])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    path.write_bytes(model.SerializeToString())
    (node,) = same(path).nodes
    assert isinstance(node, Unary)
    assert (node.function, node.parameters) == ("silu", (1.0,))


def test_operators_of_onnxruntimes_own_are_foreign(sketch: Sketch) -> None:
    path = sketch.path
    sketch.node("FastGelu", "x", "a", domain="com.microsoft")
    sketch.node("Relu", "a", "y")
    sketch.save()
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    path.write_bytes(model.SerializeToString())
    assert kinds(same(path)) == [Foreign, Activation]


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
def test_operators_of_old_sets_are_written_back_in_a_newer_one(sketch: Sketch, opset: int) -> None:
    sketch.node("LRN", "x", "a", size=3)
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "a w", "b")
    sketch.node("Softmax", "b", "y", axis=1)  # over all that is behind the axis, before operator set 13
    network = same(sketch.save(opset=opset))
    assert kinds(network) == [Foreign, Conv, Foreign]
    assert {node.opset for node in network.foreign} == {13}
