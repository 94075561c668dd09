"""Normalization of images: read in its spellings, written, and run in float and behind codes as onnxruntime does."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from qbench.engine import FloatSession, build_session
from qbench.errors import ModelError
from qbench.graph import Foreign, ImageNorm, LayerNorm, Network, QuantizedNetwork, to_onnx_bytes
from qbench.graph.onnx.read import network_of_model
from qbench.methods import ActivationObserver
from tests.engine.conftest import quantized
from tests.graph.oracle import outputs_of_file

C, SIZE = 12, 5
ENDS = f"(float[N, {C}, {SIZE}, {SIZE}] x) => (float[N, {C}, {SIZE}, {SIZE}] y)"
FORMS = {
    "pixels": (17, 0, "t = Transpose <perm = [0, 2, 3, 1]> (a) l = LayerNormalization <axis = -1> (t, s, o)"
                      " b = Transpose <perm = [0, 3, 1, 2]> (l)"),
    "instance": (17, C, "b = InstanceNormalization (a, s, o)"),
    "groups": (17, 4, "g = Reshape (a, grouped) i = InstanceNormalization (g, ones, zeros) r = Reshape (i, whole)"
                      " m = Mul (r, s3) b = Add (m, o3)"),
    "one group": (17, 1, "g = Reshape (a, single) i = InstanceNormalization (g, one, zero) r = Reshape (i, whole)"
                         " m = Mul (r, s3) b = Add (m, o3)"),
    "operator": (21, 4, "b = GroupNormalization <num_groups = 4> (a, s, o)"),
}  # fmt: skip
"""Form -> operator set, groups, nodes from a to b."""


def file_of(form: str) -> onnx.ModelProto:
    """Return a convolution, a normalization, and a convolution that pads it."""
    opset, _, nodes = FORMS[form]
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {opset}]> network {ENDS}'
        f" {{ a = Conv <pads = [1, 1, 1, 1]> (x, w) {nodes} y = Conv <pads = [1, 1, 1, 1]> (b, v) }}"
    )
    scale, offset = rng.uniform(0.5, 2.0, (2, C)).astype(np.float32)
    constants = {
        "w": (rng.standard_normal((C, C, 3, 3)) * 0.2).astype(np.float32),
        "v": (rng.standard_normal((C, C, 3, 3)) * 0.2).astype(np.float32),
        "s": scale, "o": offset, "s3": scale[:, None, None], "o3": offset[:, None, None],
        "ones": np.full(4, 1.5, np.float32), "zeros": np.full(4, 0.25, np.float32),
        "one": np.ones(1, np.float32), "zero": np.zeros(1, np.float32),
        "grouped": np.array([0, 4, -1]), "single": np.array([0, 1, -1]), "whole": np.array([0, C, SIZE, SIZE]),
    }  # fmt: skip
    used = {name for node in model.graph.node for name in node.input}
    for name in sorted(used & constants.keys()):
        model.graph.initializer.append(onnx.numpy_helper.from_array(constants[name], name))
    return model


def images(count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((count, C, SIZE, SIZE)).astype(np.float32) + np.float32(2)


@pytest.mark.parametrize("form", FORMS)
def test_a_normalization_is_one_node_and_runs_as_onnxruntime_does(form: str) -> None:
    model = file_of(form)
    network = network_of_model(model, "network")
    (norm,) = (node for node in network.nodes if isinstance(node, ImageNorm))
    assert norm.groups == FORMS[form][1]
    assert not network.foreign
    x = images(3)
    (expected,) = outputs_of_file(model.SerializeToString(), {"x": x})
    with FloatSession(network, threads=2) as session:
        np.testing.assert_allclose(session.run(x).reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)
    again = onnx.load_from_string(to_onnx_bytes(network))
    (written,) = outputs_of_file(again.SerializeToString(), {"x": x})
    np.testing.assert_allclose(written, expected, rtol=1e-4, atol=1e-4)
    assert [type(node) for node in network_of_model(again, "network").nodes] == [type(n) for n in network.nodes]


def in_integers(network: Network, x: npt.NDArray[np.float32]) -> QuantizedNetwork:
    found: dict[str, ActivationObserver] = defaultdict(ActivationObserver)
    with FloatSession(network, threads=1) as session:
        session.run(x, tap=lambda tensor, values: found[tensor].update(values))
    stats = {tensor: observer.finish() for tensor, observer in found.items()}
    return QuantizedNetwork(network, *quantized(network, stats, "w8c-a8t", "minmax"))


@pytest.mark.parametrize("form", ["pixels", "groups"])
@pytest.mark.parametrize("threads", [1, 2])
def test_between_integer_layers_it_writes_codes(form: str, threads: int) -> None:
    model, x = file_of(form), images(4)
    (expected,) = outputs_of_file(model.SerializeToString(), {"x": x})
    with build_session(in_integers(network_of_model(model, "network"), x), threads=threads) as session:
        assert session.integer_share > 0.99  # a normalization counts one operation a number, in float
        assert "1 pixel_norm_f32_u8" in session.execution_reason or "1 group_norm_f32_u8" in session.execution_reason
        error = session.run(x).reshape(expected.shape) - expected
    assert np.square(error).mean() < 1e-3 * np.square(expected).mean()


def test_channels_last_it_is_a_layer_norm_of_tokens() -> None:
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> network (float[N, 3, 4, {C}] x) => (float[N, 3, 4, {C}] y)'
        " { l = LayerNormalization <axis = -1> (x, s, o) m = MatMul (l, w) y = Add (m, x) }"
    )
    rng = np.random.default_rng(0)
    for name, shape in (("s", (C,)), ("o", (C,)), ("w", (C, C))):
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
        )
    network = network_of_model(model, "network")
    assert any(isinstance(node, LayerNorm) for node in network.nodes)
    assert all(set(node.operators) == {"Reshape"} for node in network.nodes if isinstance(node, Foreign))
    x = rng.standard_normal((2, 3, 4, C)).astype(np.float32)
    (expected,) = outputs_of_file(model.SerializeToString(), {"x": x})
    with FloatSession(network, threads=1) as session:
        np.testing.assert_allclose(session.run(x).reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_groups_that_do_not_divide_the_channels_are_one_line() -> None:
    model = file_of("operator")
    (node,) = (node for node in model.graph.node if node.op_type == "GroupNormalization")
    node.attribute[0].i = 5
    with pytest.raises(ModelError, match=r"expected channels in groups, got 12 channels and 5 groups"):
        network_of_model(model, "network")
