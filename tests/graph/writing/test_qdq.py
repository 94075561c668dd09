"""The int8 form: onnxruntime fuses all of it, it computes nearly the same, and parameters are checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from qbench.core.formats import Uniform
from qbench.core.granularity import PerChannel, PerGroup, PerTensor
from qbench.core.spec import QuantSpec, activation_uniform, weight_uniform
from qbench.core.tensor import QParams, QTensor
from qbench.engine import build_session
from qbench.errors import ModelError
from qbench.graph import Layer, Network, QuantizedNetwork, depth_weights, qdq_onnx_bytes, read_onnx, to_onnx_bytes
from qbench.zoo import load_data, model_path

if TYPE_CHECKING:
    from tests.graph.conftest import Floats, Sketch

Run = Callable[[Path | bytes, "Floats"], "Floats"]
Params = tuple[dict[str, QTensor], dict[str, QParams]]


def weight_tensor(layer: Layer, *, per_channel: bool = True) -> QTensor:
    highest = np.abs(layer.weight.reshape(len(layer.weight), -1)).max(axis=1)
    scale = np.asarray(highest if per_channel else highest.max(), np.float32) / np.float32(127)
    granularity = PerChannel() if per_channel else PerTensor()
    params = QParams(QuantSpec(weight_uniform(8), granularity), scale, np.zeros_like(scale))
    steps = depth_weights(layer) * (np.float32(1) / scale).reshape(-1, 1)
    return QTensor(np.rint(steps).clip(-127, 127).astype(np.int16), params)


def activation_params(values: Floats) -> QParams:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = np.asarray((high - low) / 255, np.float32)
    return QParams(QuantSpec(activation_uniform(8), PerTensor()), scale, np.asarray(np.rint(-low / scale), np.float32))


def all_params(network: Network, x: Floats) -> Params:
    """Return parameters of every layer, and of every tensor but those that the engine never sees."""
    model = onnx.load_from_string(to_onnx_bytes(network))
    names = [name for node in model.graph.node for name in node.output if name != network.output]
    for name in names:
        model.graph.output.add(name=name)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = dict(zip(names, session.run(names, {network.input: x}), strict=True))
    known = {name: activation_params(values) for name, values in found.items() if not name.endswith(":pre_clamp")}
    known.pop("global_average", None)
    known[network.input] = activation_params(x)
    return {layer.name: weight_tensor(layer) for layer in network.layers}, known


def optimized(content: bytes, folder: Path) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)


@pytest.fixture(scope="module")
def resnet() -> Network:
    return read_onnx(model_path("resnet20"))


@pytest.fixture(scope="module")
def images() -> Floats:
    return load_data("cifar10-shard").inputs(0, 32)


@pytest.fixture(scope="module")
def params(resnet: Network, images: Floats) -> Params:
    return all_params(resnet, images)


def test_onnxruntime_runs_all_of_resnet_in_integers(resnet: Network, params: Params, tmp_path: Path) -> None:
    operators = optimized(qdq_onnx_bytes(QuantizedNetwork(resnet, *params)), tmp_path)
    layout = {"Transpose", "Flatten", "Reshape"}
    assert {name: count for name, count in operators.items() if name not in layout} == {
        "QuantizeLinear": 1, "QLinearConv": 21, "QLinearAdd": 9, "QLinearGlobalAveragePool": 1, "QGemm": 1,
    }  # fmt: skip


def test_int8_logits_are_near_the_float_ones(resnet: Network, params: Params, images: Floats, run_onnx: Run) -> None:
    expected, found = (
        run_onnx(model_path("resnet20"), images),
        run_onnx(qdq_onnx_bytes(QuantizedNetwork(resnet, *params)), images),
    )
    noise_db = 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum())
    assert noise_db > 15
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.9


def test_the_codes_of_a_layer_are_written_in_onnx_order(resnet: Network, params: Params) -> None:
    content = qdq_onnx_bytes(QuantizedNetwork(resnet, *params))
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load_from_string(content).graph.initializer}
    for layer in resnet.layers:
        scale = params[0][layer.name].params.scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
        expected = np.rint(layer.weight * (np.float32(1) / scale)).clip(-127, 127)
        named = (values for name, values in constants.items() if name.startswith(f"{layer.name}.weight"))
        (found,) = (values for values in named if values.dtype == np.int8 and values.ndim > 1)
        np.testing.assert_array_equal(found, expected)


def test_one_scale_a_tensor_is_a_scalar(resnet: Network, params: Params, tmp_path: Path) -> None:
    weights = {layer.name: weight_tensor(layer, per_channel=False) for layer in resnet.layers}
    content = qdq_onnx_bytes(QuantizedNetwork(resnet, weights, params[1]))
    scales = {tensor.name: list(tensor.dims) for tensor in onnx.load_from_string(content).graph.initializer}
    assert scales["stem.weight:scale"] == scales["stem.bias:scale"] == scales["images:scale"] == []
    assert optimized(content, tmp_path)["QLinearConv"] == 21


def test_clamped_depthwise_network_with_pools_runs_in_integers(sketch: Sketch, run_onnx: Run, tmp_path: Path) -> None:
    sketch.constant("zero", np.float32(0))
    sketch.constant("six", np.float32(0.6))
    sketch.weights("a.weight", 8, 3, 3, 3)
    sketch.node("Conv", "x a.weight", "a", strides=[2, 2])
    sketch.node("Clip", "a zero six", "b")
    sketch.node("MaxPool", "b", "c", kernel_shape=[2, 2])
    sketch.weights("d.weight", 8, 1, 3, 3)
    sketch.node("Conv", "c d.weight", "d", group=8, pads=[1, 1, 1, 1])
    sketch.node("Clip", "d zero six", "e")
    sketch.node("Add", "c e", "f")
    sketch.node("Relu", "f", "g")
    sketch.node("AveragePool", "g", "h", kernel_shape=[2, 2])
    sketch.node("Flatten", "h", "i")
    sketch.weights("fc.weight", 72, 5)
    sketch.node("Gemm", "i fc.weight", "y")
    network = read_onnx(sketch.save(("n", 3, 11, 11)))
    x = np.random.default_rng(2).normal(size=(16, 3, 11, 11)).astype(np.float32)
    weights, activations = all_params(network, x)
    for shared in ("a", "average"):  # what a maximum pool and a flatten pass on needs parameters on one side only
        del activations[shared]
    content = qdq_onnx_bytes(QuantizedNetwork(network, weights, activations))
    operators = optimized(content, tmp_path)
    assert not operators.keys() & {"Conv", "Add", "Clip", "Relu", "AveragePool", "Gemm", "MatMul"}
    expected, found = run_onnx(sketch.path, x), run_onnx(content, x)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_output_with_parameters_is_rounded_too(resnet: Network, params: Params) -> None:
    logits = activation_params(np.asarray([-5.0, 5.0], np.float32))
    content = qdq_onnx_bytes(QuantizedNetwork(resnet, params[0], {**params[1], "logits": logits}))
    last = onnx.load_from_string(content).graph.node[-1]
    assert (last.op_type, list(last.output)) == ("DequantizeLinear", ["logits"])


@pytest.mark.parametrize("tensor", ["images", "stem", "blocks.0.conv2:pre_add", "blocks.3.shortcut", "flatten"])
def test_missing_activation_parameters_are_named(resnet: Network, params: Params, tensor: str) -> None:
    known = {name: value for name, value in params[1].items() if name != tensor}
    expected = "global_average" if tensor == "flatten" else tensor
    with pytest.raises(ModelError, match=f"qdq: no activation parameters for tensor '{expected}'"):
        qdq_onnx_bytes(QuantizedNetwork(resnet, params[0], known))


def test_missing_weight_parameters_are_named(resnet: Network, params: Params) -> None:
    with pytest.raises(ModelError, match="qdq: no weight parameters for layer 'stem'"):
        qdq_onnx_bytes(QuantizedNetwork(resnet, {}, params[1]))


ACTIVATIONS: dict[str, dict[str, Any]] = {
    "expected unsigned 8 bits per tensor, got a4t": {"spec": QuantSpec(activation_uniform(4), PerTensor())},
    "expected unsigned 8 bits per tensor, got a8t": {"spec": QuantSpec(Uniform(8), PerTensor())},
    "expected one scale and rounding to nearest, got floor": {"rounding": "floor"},
    "expected scale > 0": {"scale": np.float32(0).reshape(())},
    "zero point 0..255": {"zero_point": np.float32(300).reshape(())},
}


@pytest.mark.parametrize("message", ACTIVATIONS)
def test_activation_parameters_of_another_form_are_refused(resnet: Network, params: Params, message: str) -> None:
    changed = replace(params[1]["stem"], **ACTIVATIONS[message])
    with pytest.raises(ModelError, match=f"qdq: tensor 'stem': .*{message}"):
        qdq_onnx_bytes(QuantizedNetwork(resnet, params[0], {**params[1], "stem": changed}))


WEIGHTS: dict[str, dict[str, Any]] = {
    "w8g32 has no QDQ form": {"spec": QuantSpec(weight_uniform(8), PerGroup(32))},
    "expected signed weights": {"spec": QuantSpec(Uniform(8, signed=False, symmetric=False), PerChannel())},
    "zero points of 0": {"zero_point": np.ones(16, np.float32)},
    "scales above 0": {"scale": np.zeros(16, np.float32)},
}


@pytest.mark.parametrize("message", WEIGHTS)
def test_weight_parameters_of_another_form_are_refused(resnet: Network, params: Params, message: str) -> None:
    stem = params[0]["stem"]
    changed = QTensor(stem.codes, replace(stem.params, **WEIGHTS[message]))
    with pytest.raises(ModelError, match=f"qdq: layer 'stem': .*{message}"):
        qdq_onnx_bytes(QuantizedNetwork(resnet, {**params[0], "stem": changed}, params[1]))


@pytest.mark.parametrize("granularity", [PerChannel(), PerTensor()])
@pytest.mark.parametrize("factor", [1.0, 1e3, 1e6])
def test_a_bias_beyond_32_bits_of_its_scales_is_held_by_wider_ones(
    sketch: Sketch, granularity: PerChannel | PerTensor, factor: float
) -> None:
    sketch.constant("w", 1e-7 * np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32))
    bias = np.float32(factor) * np.asarray([1.0, -2.0, 0.5, 0.0], np.float32)
    sketch.constant("b", bias)
    sketch.constant("v", np.eye(4, dtype=np.float32))
    sketch.node("Conv", "x w b", "c", "conv")
    sketch.node("GlobalAveragePool", "c", "g")
    sketch.node("Flatten", "g", "f")
    sketch.node("Gemm", "f v", "y")
    network = read_onnx(sketch.save())
    weights, activations = {}, {}
    for layer in network.layers:
        flat = depth_weights(layer)
        scale = np.abs(flat).max(axis=1 if isinstance(granularity, PerChannel) else None) / np.float32(127)
        params = QParams(QuantSpec(weight_uniform(8), granularity), np.asarray(scale), np.zeros_like(scale))
        weights[layer.name] = QTensor(np.rint(flat / scale.reshape(-1, 1)).astype(np.int16), params)
    wide = (-2.0 * factor, factor)
    for tensor, (low, high) in {"x": (-4.0, 4.0), **{node.output: wide for node in network.nodes[:3]}}.items():
        step = np.float32((high - low) / 255)
        zero = np.asarray(round(-low / float(step)), np.float32)
        activations[tensor] = QParams(QuantSpec(activation_uniform(8), PerTensor()), np.asarray(step), zero)
    made = QuantizedNetwork(network, weights, activations)
    x = np.random.default_rng(1).normal(size=(3, 3, 8, 8)).astype(np.float32)
    runtime = onnxruntime.InferenceSession(qdq_onnx_bytes(made), providers=["CPUExecutionProvider"])
    found = runtime.run(None, {"x": x})[0]
    with build_session(made, threads=1) as session:
        own = session.run(x)
    a_step = 1.01 * 3 * factor / 255
    np.testing.assert_allclose(own, np.tile(bias, (3, 1)), atol=a_step)
    np.testing.assert_allclose(found, own, atol=a_step)
