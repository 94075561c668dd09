"""Tables of codes give what onnxruntime gives between DequantizeLinear and QuantizeLinear, on every code."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from qbench.engine.code_tables import affine_tables, requantize_table, unary_table
from qbench.engine.container import Container
from qbench.graph.functions import FUNCTIONS
from qbench.graph.nodes import ChannelAffine, Clamp, Unary
from qbench.graph.writing.builder import Builder
from qbench.graph.writing.write_other import write_other
from tests.graph.oracle import outputs_of_file

CODES = np.arange(256, dtype=np.uint8)
PARAMETERS: dict[str, tuple[float, ...]] = {
    "celu": (1.5,), "elu": (0.7,), "hard_sigmoid": (0.2, 0.5), "leaky_relu": (0.1,), "power": (2.0,),
    "selu": (1.67, 1.05), "silu": (1.0,), "thresholded_relu": (0.52,),
}  # fmt: skip


def box(scale: float, zero: int, *, high: int = 255) -> Container:
    return Container(scale, zero, high, floor=False)


def by_onnxruntime(node: Unary | ChannelAffine, source: Container, target: Container, channels: int) -> np.ndarray:
    """Run codes (256, channels) through DequantizeLinear, the node, QuantizeLinear."""
    builder = Builder("table")
    for name, given in (("in", source), ("out", target)):
        builder.constant(f"{name}_scale", np.asarray(given.scale, np.float32))
        builder.constant(f"{name}_zero", np.asarray(given.zero_point, np.uint8))
    builder.op("DequantizeLinear", ["codes", "in_scale", "in_zero"], "x")
    write_other(builder, node, {"x": (channels,), "y": (channels,)})
    builder.op("QuantizeLinear", ["y", "out_scale", "out_zero"], "made")
    content = builder.to_bytes(
        inputs={"codes": (channels,)}, outputs={"made": (channels,)}, metadata={},
        dtypes={"codes": "uint8", "made": "uint8"},
    )  # fmt: skip
    return outputs_of_file(content, {"codes": np.repeat(CODES[:, None], channels, axis=1)})[0]


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_function_of_codes_is_what_onnxruntime_computes(function: str) -> None:
    positive = function in ("log", "reciprocal", "sqrt")
    source = box(0.04, 0) if positive else box(0.05, 130)
    node = Unary("f", function, "x", "y", PARAMETERS.get(function, ()))
    reals = np.maximum((CODES - source.zero_point) * source.scale, 0.04 if positive else -np.inf)
    values = FUNCTIONS[function](reals, *node.parameters)
    scale = float(values.max() - values.min()) / 255
    target = box(scale, int(np.clip(np.rint(-values.min() / scale), 0, 255)))
    found = unary_table(node, source, target).astype(int)
    expected = by_onnxruntime(node, source, target, 1)[:, 0].astype(int)
    usable = slice(1, None) if positive else slice(None)  # at 0 these are not finite
    assert np.abs(found - expected)[usable].max() <= 1  # exporters' formulas round in float32
    assert (found == expected)[usable].mean() > 0.98


def test_affine_of_channels_is_what_onnxruntime_computes() -> None:
    generator = np.random.default_rng(0)
    scale, offset = (generator.normal(size=5).astype(np.float32) for _ in range(2))
    node = ChannelAffine("a", "x", "y", scale, offset, Clamp(-1.0, 3.0))
    source, target = box(0.05, 100), box(4 / 255, 64)
    found = affine_tables(node, source, target)
    assert found.shape == (5, 256)
    expected = by_onnxruntime(node, source, target, 5).T
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found == expected).mean() > 0.99


def test_same_container_changes_no_code_and_a_coarser_one_keeps_their_order() -> None:
    fine, coarse = box(0.02, 17), box(0.11, 3, high=15)
    np.testing.assert_array_equal(requantize_table(fine, fine), CODES)
    table = requantize_table(fine, coarse)
    assert (np.diff(table.astype(int)) >= 0).all()
    assert table.max() <= 15
    assert table[17] == 3  # the code of zero becomes the code of zero
    clamped = requantize_table(fine, fine, clamp=Clamp(0.0, 1.0))
    assert (clamped.min(), clamped.max()) == (17, 67)


def test_requantizing_is_what_onnxruntime_computes() -> None:
    source, target = box(0.031, 77), box(0.047, 120)
    constants = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in (
            ("a", np.float32(0.031)),
            ("b", np.uint8(77)),
            ("c", np.float32(0.047)),
            ("d", np.uint8(120)),
        )
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "a", "b"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "c", "d"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.UINT8, [256]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "requantize", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (expected,) = outputs_of_file(model.SerializeToString(), {"x": CODES})
    assert np.abs(requantize_table(source, target).astype(int) - expected).max() <= 1


def test_number_that_a_function_does_not_have_becomes_the_code_of_zero() -> None:
    table = unary_table(Unary("l", "log", "x", "y"), box(0.1, 10), box(0.05, 128))
    assert (table[:10] == 128).all()
    assert table[10] == 0  # log(0) is minus infinity
