"""Each pass alone, on nodes made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from qbench.errors import ModelError
from qbench.graph import Activation, Add, ChannelAffine, Clamp, Conv, Linear, Pool, inputs_of
from qbench.graph.onnx.draft import Affine, Alias, Draft, ZeroPad
from qbench.graph.passes.activation import fuse_activation
from qbench.graph.passes.affine import fold_affine
from qbench.graph.passes.identity import drop_aliases
from qbench.graph.passes.naming import name_nodes, scope_of
from qbench.graph.passes.padding import merge_padding
from qbench.graph.passes.residual import fuse_residual

RELU = Clamp(0.0, math.inf)


def conv(source: str, output: str, name: str = "") -> Conv:
    weight = np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1)
    return Conv(name, source, output, weight, np.ones(4, np.float32))


def affine(source: str, output: str) -> Affine:
    return Affine("norm", "BatchNormalization", source, output, np.asarray([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.5))


def fold(nodes: Sequence[Draft], *, outputs: tuple[str, ...]) -> tuple[Draft, ...]:
    shapes = {tensor: (4, 1, 1) if tensor != "x" else (3, 1, 1) for tensor in "abcy"} | {"x": (3, 1, 1)}
    linear = any(isinstance(node, Linear) for node in nodes)
    return fold_affine(nodes, outputs=outputs, shapes=dict.fromkeys("abxy", (4,)) if linear else shapes)


def test_aliases_vanish_and_their_readers_read_what_they_read() -> None:
    nodes: list[Draft] = [Alias("", "x", "a"), Add("", ("a", "x"), "b"), Alias("", "b", "c"), Alias("", "c", "y")]
    kept, outputs = drop_aliases(nodes, outputs=("y",))
    assert (kept, outputs) == ((Add("", ("x", "x"), "b"),), ("b",))


def test_affine_is_folded_into_weights_and_bias() -> None:
    (folded,) = fold([conv("x", "a"), affine("a", "b"), affine("b", "y")], outputs=("y",))
    assert isinstance(folded, Conv)
    assert folded.output == "y"
    np.testing.assert_allclose(folded.weight[:, 1, 0, 0], [1, 16, 63, 160])
    np.testing.assert_allclose(folded.bias, [2.0, 5.5, 11.0, 18.5])


def test_affine_is_folded_into_a_linear() -> None:
    linear = Linear("fc", "x", "a", np.ones((4, 2), np.float32), np.zeros(4, np.float32))
    (folded,) = fold([linear, affine("a", "y")], outputs=("y",))
    assert isinstance(folded, Linear)
    np.testing.assert_allclose(folded.weight, [[1, 1], [2, 2], [3, 3], [4, 4]])


@pytest.mark.parametrize("output", ["y", "a"])
def test_affine_after_what_others_read_becomes_a_node_of_its_own(output: str) -> None:
    nodes = fold([conv("x", "a"), affine("a", "b"), Add("", ("a", "b"), "y")], outputs=(output,))
    alone = nodes[1]
    assert isinstance(alone, ChannelAffine)
    assert (alone.input, alone.output, alone.scale.tolist()) == ("a", "b", [1.0, 2.0, 3.0, 4.0])


def test_affine_before_a_convolution_is_folded_forward() -> None:
    first = Affine("norm", "Mul", "x", "a", np.asarray([2.0, 3.0, 4.0]), np.asarray([1.0, 1.0, -1.0]))
    (folded,) = fold([first, conv("a", "y")], outputs=("y",))
    assert isinstance(folded, Conv)
    assert folded.input == "x"
    np.testing.assert_allclose(folded.weight[0, :, 0, 0], [0, 3, 8])
    np.testing.assert_allclose(folded.bias, [0.0, 3.0, 6.0, 9.0])


def test_affine_with_an_offset_before_padding_stays() -> None:
    first = Affine("norm", "Add", "x", "a", np.ones(3), np.ones(3))
    nodes = fold([first, replace(conv("a", "y"), pads=(1, 1, 1, 1))], outputs=("y",))
    assert [type(node) for node in nodes] == [ChannelAffine, Conv]


def test_affine_before_grouped_convolutions_goes_to_each_group() -> None:
    weight = np.ones((4, 1, 1, 1), np.float32)
    grouped = Conv("", "a", "y", weight, np.zeros(4, np.float32), groups=2)
    first = Affine("norm", "Mul", "x", "a", np.asarray([2.0, 3.0]), np.zeros(2))
    (folded,) = fold([first, grouped], outputs=("y",))
    assert isinstance(folded, Conv)
    np.testing.assert_array_equal(folded.weight.reshape(-1), [2, 2, 3, 3])


def test_affine_does_not_change_weights_that_are_fixed() -> None:
    shapes = dict.fromkeys("axy", (4, 1, 1))
    fixed = replace(conv("x", "a"), source="w")
    scaled = fold_affine([fixed, affine("a", "y")], outputs=("y",), shapes=shapes, fixed={"w"})
    assert [type(node) for node in scaled] == [Conv, ChannelAffine]
    shift = Affine("bias", "Add", "a", "y", np.ones(1), np.ones(1), axis=None)
    (biased,) = fold_affine([fixed, shift], outputs=("y",), shapes=shapes, fixed={"w"})
    assert isinstance(biased, Conv)
    assert (biased.bias.tolist(), biased.source) == ([2.0] * 4, "w")


def test_affine_that_overflows_is_refused() -> None:
    huge = Affine("norm", "Mul", "a", "y", np.full(4, 1e300), np.zeros(4))
    with np.errstate(over="ignore"), pytest.raises(ModelError, match="not finite"):
        fold([conv("x", "a"), huge], outputs=("y",))


def test_padding_is_merged_into_every_convolution_that_reads_it() -> None:
    nodes: list[Draft] = [
        ZeroPad("pad", "x", "p", (1, 2, 3, 4)),
        conv("p", "a"),
        conv("p", "b"),
        Add("", ("a", "b"), "y"),
    ]
    first, second, _ = merge_padding(nodes, outputs=("y",))
    assert isinstance(first, Conv)
    assert isinstance(second, Conv)
    assert (first.input, first.pads, second.pads) == ("x", (1, 2, 3, 4), (1, 2, 3, 4))


def test_padding_at_the_output_stays() -> None:
    nodes: list[Draft] = [ZeroPad("pad", "x", "y", (1, 1, 1, 1))]
    assert merge_padding(nodes, outputs=("y",)) == tuple(nodes)


def test_padding_that_others_read_too_stays() -> None:
    nodes: list[Draft] = [ZeroPad("pad", "x", "p", (1, 1, 1, 1)), conv("p", "a"), Pool("", "max", "p", "b", (2, 2))]
    assert merge_padding(nodes, outputs=("a", "b")) == tuple(nodes)


@pytest.mark.parametrize("operands", [("b", "s"), ("s", "b")])
def test_residual_goes_into_the_deeper_convolution_whatever_the_order(operands: tuple[str, str]) -> None:
    nodes: list[Draft] = [conv("x", "a", "one"), conv("a", "b", "two"), conv("x", "s", "short"), Add("", operands, "y")]
    kept = fuse_residual(nodes, outputs=("y",))
    assert [node.name for node in kept] == ["one", "short", "two"]
    host = kept[-1]
    assert isinstance(host, Conv)
    assert (host.residual, host.output) == ("s", "y")


def test_residual_stays_apart_where_the_convolution_has_another_reader() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "x"), "b"), Add("", ("a", "b"), "y")]
    assert fuse_residual(nodes, outputs=("y",)) == tuple(nodes)


def test_residual_of_a_tensor_with_itself_stays_apart() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "a"), "y")]
    assert fuse_residual(nodes, outputs=("y",)) == tuple(nodes)


def test_convolution_takes_one_residual_only() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "x"), "b"), Add("", ("b", "x"), "y")]
    host, rest = fuse_residual(nodes, outputs=("y",))
    assert isinstance(host, Conv)
    assert isinstance(rest, Add)
    assert host.residual == "x"


def test_clamps_go_into_what_is_before_them() -> None:
    nodes: list[Draft] = [conv("x", "a"), Activation("", "a", "b", RELU), Activation("", "b", "y", Clamp(-1.0, 6.0))]
    (fused,) = fuse_activation(nodes, outputs=("y",))
    assert isinstance(fused, Conv)
    assert (fused.activation, fused.output) == (Clamp(0.0, 6.0), "y")


def test_clamps_after_a_pool_or_the_input_stay_but_merge() -> None:
    nodes: list[Draft] = [
        Pool("", "max", "x", "a", (2, 2)),
        Activation("", "a", "b", RELU),
        Activation("", "b", "y", Clamp(1.0, 2.0)),
    ]
    _, clamp = fuse_activation(nodes, outputs=("y",))
    assert clamp == Activation("", "a", "y", Clamp(1.0, 2.0))


@pytest.mark.parametrize(
    ("first", "second"), [((0, math.inf), (-1, 6)), ((0, 1), (2, 3)), ((2, 3), (0, 1)), ((-math.inf, 1), (0, 5))]
)
def test_clamp_then_clamp_is_the_clamp_of_both(first: tuple[float, float], second: tuple[float, float]) -> None:
    both = Clamp(*first).then(Clamp(*second))
    for x in np.linspace(-10, 10, 101):
        assert np.clip(x, both.low, both.high) == np.clip(np.clip(x, *first), *second)


SCOPES = [
    ("/stem/Conv", "onnx::Conv_203", "stem"),
    ("/blocks/blocks.0/conv1/Conv", "onnx::Conv_206", "blocks.0.conv1"),
    ("/blocks/blocks.3/shortcut/shortcut.0/Conv", "", "blocks.3.shortcut.0"),
    ("/blocks/blocks.0/Relu_1", "", "blocks.0"),
    ("/Relu", "", ""),
    ("node_conv2d_5", "layer1.0.conv1.weight", "layer1.0.conv1"),
    ("Conv_12", "317", ""),
    ("", "317", ""),
    ("my_conv", "317", "my_conv"),
]


@pytest.mark.parametrize(("node", "weight", "expected"), SCOPES)
def test_scope_is_read_from_a_name(node: str, weight: str, expected: str) -> None:
    assert scope_of(node, weight) == expected


def names(*scopes: str) -> list[str]:
    nodes = [conv(f"t{i}", f"t{i + 1}", scope) for i, scope in enumerate(scopes)]
    return [node.name for node in name_nodes(nodes, ends={"t0": "x", f"t{len(nodes)}": "y"})]


def test_lonely_zero_is_dropped_from_a_name() -> None:
    assert names("short.0", "features.0", "features.3", "head.0") == ["short", "features.0", "features.3", "head"]


def test_names_are_unique() -> None:
    assert names("", "", "conv_2", "a", "a") == ["conv", "conv_2", "conv_2_2", "a", "a_2"]


def test_tensors_are_named_after_their_writers_and_the_ends_keep_their_names() -> None:
    nodes = name_nodes([conv("p", "q", "x"), conv("q", "r", "b"), conv("r", "s", "c")], ends={"p": "x", "s": "y"})
    assert [(*inputs_of(node), node.output) for node in nodes] == [("x", "x:out"), ("x:out", "b"), ("b", "y")]
