"""Each pass alone, on nodes made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qbench.errors import ModelError
from qbench.graph import Activation, Add, Clamp, Conv, Linear, Pool, inputs_of
from qbench.graph.draft import Affine, Alias, Draft, ZeroPad
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


def test_aliases_vanish_and_their_readers_read_what_they_read() -> None:
    nodes: list[Draft] = [Alias("", "x", "a"), Add("", ("a", "x"), "b"), Alias("", "b", "c"), Alias("", "c", "y")]
    kept, output = drop_aliases(nodes, source="x", output="y")
    assert (kept, output) == ((Add("", ("x", "x"), "b"),), "b")


def test_affine_is_folded_into_weights_and_bias() -> None:
    (folded,) = fold_affine([conv("x", "a"), affine("a", "b"), affine("b", "y")], output="y")
    assert isinstance(folded, Conv)
    assert folded.output == "y"
    np.testing.assert_allclose(folded.weight[:, 1, 0, 0], [1, 16, 63, 160])
    np.testing.assert_allclose(folded.bias, [2.0, 5.5, 11.0, 18.5])


def test_affine_is_folded_into_a_linear() -> None:
    linear = Linear("fc", "x", "a", np.ones((4, 2), np.float32), np.zeros(4, np.float32))
    (folded,) = fold_affine([linear, affine("a", "y")], output="y")
    assert isinstance(folded, Linear)
    np.testing.assert_allclose(folded.weight, [[1, 1], [2, 2], [3, 3], [4, 4]])


@pytest.mark.parametrize("output", ["y", "a"])
def test_affine_after_what_others_read_is_refused(output: str) -> None:
    with pytest.raises(ModelError, match="node 'norm' \\(BatchNormalization\\)"):
        fold_affine([conv("x", "a"), affine("a", "b"), Add("", ("a", "b"), "y")], output=output)


def test_affine_that_overflows_is_refused() -> None:
    huge = Affine("norm", "Mul", "a", "y", np.full(4, 1e300), np.zeros(4))
    with np.errstate(over="ignore"), pytest.raises(ModelError, match="not finite"):
        fold_affine([conv("x", "a"), huge], output="y")


def test_padding_is_merged_into_every_convolution_that_reads_it() -> None:
    nodes: list[Draft] = [
        ZeroPad("pad", "x", "p", (1, 2, 3, 4)),
        conv("p", "a"),
        conv("p", "b"),
        Add("", ("a", "b"), "y"),
    ]
    first, second, _ = merge_padding(nodes, output="y")
    assert isinstance(first, Conv)
    assert isinstance(second, Conv)
    assert (first.input, first.pads, second.pads) == ("x", (1, 2, 3, 4), (1, 2, 3, 4))


def test_padding_at_the_output_is_refused() -> None:
    with pytest.raises(ModelError, match="found at the output"):
        merge_padding([ZeroPad("pad", "x", "y", (1, 1, 1, 1))], output="y")


@pytest.mark.parametrize("operands", [("b", "s"), ("s", "b")])
def test_residual_goes_into_the_deeper_convolution_whatever_the_order(operands: tuple[str, str]) -> None:
    nodes: list[Draft] = [conv("x", "a", "one"), conv("a", "b", "two"), conv("x", "s", "short"), Add("", operands, "y")]
    kept = fuse_residual(nodes, output="y")
    assert [node.name for node in kept] == ["one", "short", "two"]
    host = kept[-1]
    assert isinstance(host, Conv)
    assert (host.residual, host.output) == ("s", "y")


def test_residual_stays_apart_where_the_convolution_has_another_reader() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "x"), "b"), Add("", ("a", "b"), "y")]
    assert fuse_residual(nodes, output="y") == tuple(nodes)


def test_residual_of_a_tensor_with_itself_stays_apart() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "a"), "y")]
    assert fuse_residual(nodes, output="y") == tuple(nodes)


def test_convolution_takes_one_residual_only() -> None:
    nodes: list[Draft] = [conv("x", "a"), Add("", ("a", "x"), "b"), Add("", ("b", "x"), "y")]
    host, rest = fuse_residual(nodes, output="y")
    assert isinstance(host, Conv)
    assert isinstance(rest, Add)
    assert host.residual == "x"


def test_clamps_go_into_what_is_before_them() -> None:
    nodes: list[Draft] = [conv("x", "a"), Activation("", "a", "b", RELU), Activation("", "b", "y", Clamp(-1.0, 6.0))]
    (fused,) = fuse_activation(nodes, output="y")
    assert isinstance(fused, Conv)
    assert (fused.activation, fused.output) == (Clamp(0.0, 6.0), "y")


def test_clamps_after_a_pool_or_the_input_stay_but_merge() -> None:
    nodes: list[Draft] = [
        Pool("", "max", "x", "a", (2, 2)),
        Activation("", "a", "b", RELU),
        Activation("", "b", "y", Clamp(1.0, 2.0)),
    ]
    _, clamp = fuse_activation(nodes, output="y")
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
