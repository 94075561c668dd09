"""Quantized files come back as layers with their codes and tensors with their parameters, whoever wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from qbench.core.formats import Uniform
from qbench.core.granularity import PerChannel, PerGroup, PerTensor
from qbench.core.tensor import QParams, QTensor
from qbench.engine import build_session
from qbench.errors import ModelError
from qbench.graph import (
    Activation,
    Clamp,
    Conv,
    Linear,
    Network,
    Pool,
    QuantizedNetwork,
    qdq_onnx_bytes,
    read_onnx,
    read_quantized,
    to_onnx_bytes,
)
from qbench.graph.quantized.codes import Codes
from qbench.zoo import load_data, model_path
from tests.graph.oracle import feeds_of, outputs_of_file
from tests.graph.quantized import small
from tests.graph.writing.test_qdq import all_params

if TYPE_CHECKING:
    from tests.graph.conftest import Sketch

Reals = npt.NDArray[np.float32]
UNSIGNED = Uniform(8, signed=False, symmetric=False)


@pytest.fixture(scope="module")
def images() -> Reals:
    return load_data("cifar10-shard").inputs(0, 64)


def parts(found: QuantizedNetwork) -> tuple[Network, Mapping[str, QTensor], Mapping[str, QParams]]:
    return found.network, found.weights, found.activations


def assert_same_params(one: QParams, other: QParams) -> None:
    assert one.spec == other.spec
    np.testing.assert_array_equal(one.scale, other.scale)
    np.testing.assert_array_equal(one.zero_point, other.zero_point)


def test_own_export_comes_back_with_equal_parameters(images: Reals, tmp_path: Path) -> None:
    network = read_onnx(model_path("resnet20"))
    weights, activations = all_params(network, images)
    path = tmp_path / "own.onnx"
    path.write_bytes(qdq_onnx_bytes(QuantizedNetwork(network, weights, activations)))
    again, codes, params = parts(read_quantized(path))
    assert [(type(node), node.name, node.output) for node in again.nodes] == [
        (type(node), node.name, node.output) for node in network.nodes
    ]
    assert codes.keys() == weights.keys()
    for layer in network.layers:
        assert_same_params(codes[layer.name].params, weights[layer.name].params)
        flat = layer.weight.transpose(0, 2, 3, 1) if isinstance(layer, Conv) else layer.weight
        inverse = np.float32(1) / weights[layer.name].params.scale[:, None]
        expected = np.rint(flat.reshape(len(flat), -1) * inverse).clip(-127, 127)
        np.testing.assert_array_equal(codes[layer.name].codes, expected)
    assert activations.keys() <= params.keys()
    for tensor, expected_params in activations.items():
        assert_same_params(params[tensor], expected_params)


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_script", "densenet_dynamo", "shufflenet_script", "vit_script", "unet_transposed_dynamo"]
)
def test_network_of_any_nodes_is_written_in_int8_and_comes_back(name: str, tmp_path: Path) -> None:
    network = read_onnx(Path(__file__).parents[1] / "exported" / f"{name}.onnx")
    x = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    weights, activations = all_params(network, x)
    known = {tensor: params for tensor, params in activations.items() if tensor in network.shapes}
    known |= {tensor: params for tensor, params in activations.items() if tensor.endswith(":pre_add")}
    path = tmp_path / "int8.onnx"
    path.write_bytes(qdq_onnx_bytes(QuantizedNetwork(network, weights, known)))
    (found,) = outputs_of_file(path, {"x": x})
    (expected,) = outputs_of_file(to_onnx_bytes(network), {"x": x})
    noise_db = 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum())
    assert noise_db > 20
    again, codes, params = parts(read_quantized(path))
    assert [type(node) for node in again.nodes] == [type(node) for node in network.nodes]
    assert [layer.name for layer in again.layers] == list(codes) == list(weights)
    for layer, tensor in codes.items():
        assert_same_params(tensor.params, weights[layer].params)
    for tensor_name in known.keys() - {network.output}:
        assert_same_params(params[tensor_name], known[tensor_name])


class Reader:
    def __init__(self, images: Reals) -> None:
        self._batches = iter([{"images": images[:32]}, {"images": images[32:]}])

    def get_next(self) -> dict[str, Reals] | None:
        return next(self._batches, None)


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize(("kind", "per_channel"), [("QUInt8", True), ("QInt8", False)])
def test_onnxruntimes_own_quantization_computes_the_same_in_integers(
    images: Reals, tmp_path: Path, form: str, kind: str, per_channel: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnxruntime import quantization
    path = tmp_path / "static.onnx"
    quantization.quantize_static(
        str(model_path("resnet20")), str(path), Reader(images), quant_format=quantization.QuantFormat[form],
        activation_type=quantization.QuantType[kind], weight_type=quantization.QuantType.QInt8, per_channel=per_channel,
    )  # fmt: skip
    network, weights, activations = parts(read_quantized(path, residuals=False))
    assert {layer.name for layer in network.layers} == weights.keys()
    granularity = PerChannel() if per_channel else PerTensor()
    assert all(tensor.spec.granularity == granularity for tensor in weights.values())
    assert set(network.shapes) == activations.keys()
    session = build_session(QuantizedNetwork(network, weights, activations), threads=1)
    assert (session.execution, session.execution_reason) == ("integer", "")
    x = load_data("cifar10-shard").inputs(0, 500)
    (expected,) = outputs_of_file(path, {"images": x}, signed=kind == "QInt8")
    found = session.run(x)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.99
    scale, zero = activations["logits"].scale, activations["logits"].zero_point
    limits = activations["logits"].spec.format
    assert isinstance(limits, Uniform)
    codes = np.clip(np.rint(found / scale) + zero, limits.qmin, limits.qmax)
    assert np.abs((codes - zero) * scale - expected).max() <= 3 * scale


def read(path: Path) -> tuple[Network, Mapping[str, QTensor], Mapping[str, QParams]]:
    """Read a quantized file, and check that its float network is near what the file computes."""
    network, weights, activations = parts(read_quantized(path))
    feeds = feeds_of(path)
    floats = {name: values.astype(np.float32) for name, values in feeds.items()}
    for found, expected in zip(
        outputs_of_file(to_onnx_bytes(network), floats), outputs_of_file(path, feeds), strict=True
    ):
        if expected.dtype == np.float32:
            np.testing.assert_allclose(found, expected, atol=0.06 * max(1.0, float(np.abs(expected).max())))
    return network, weights, activations


def scales(sketch: Sketch, name: str, scale: Any, zero: Any) -> str:
    sketch.constant(f"{name}s", np.asarray(scale, np.float32))
    sketch.constant(f"{name}z", zero)
    return f"{name}s {name}z"


def test_convolution_on_integers(sketch: Sketch) -> None:
    generator = np.random.default_rng(0)
    x, y = scales(sketch, "x", 0.03, np.uint8(120)), scales(sketch, "y", 0.25, np.uint8(128))
    w = scales(sketch, "w", [0.01, 0.02, 0.015, 0.01], np.zeros(4, np.int8))
    codes = generator.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
    sketch.constant("w", codes)
    sketch.constant("b", generator.integers(-500, 500, 4).astype(np.int32))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("QLinearConv", f"xq {x} w {w} {y} b", "yq", "conv", pads=[1, 1, 1, 1])
    sketch.node("MaxPool", "yq", "pq", kernel_shape=[2, 2], strides=[2, 2])
    sketch.node("DequantizeLinear", f"pq {y}", "y")
    network, weights, activations = read(sketch.save())
    assert [type(node) for node in network.nodes] == [Conv, Pool]
    np.testing.assert_array_equal(weights["conv"].codes, codes.transpose(0, 2, 3, 1).reshape(4, -1))
    assert weights["conv"].spec.format == Uniform(8, symmetric=True, narrow=False)
    assert activations["x"].spec.format == UNSIGNED
    assert activations.keys() == {"x", "conv", "y"}
    assert (float(activations["conv"].scale), float(activations["conv"].zero_point)) == (0.25, 128.0)


def test_products_on_integers(sketch: Sketch) -> None:
    generator = np.random.default_rng(0)
    x, y = scales(sketch, "x", 0.03, np.uint8(120)), scales(sketch, "y", 0.2, np.uint8(125))
    sketch.constant("w", generator.integers(0, 256, (6, 5)).astype(np.uint8))
    w = scales(sketch, "w", np.linspace(0.01, 0.02, 5), np.full(5, 130, np.uint8))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("QLinearMatMul", f"xq {x} w {w} {y}", "yq", "fc")
    sketch.node("DequantizeLinear", f"yq {y}", "y")
    network, weights, activations = read(sketch.save(("n", 6)))
    (layer,) = network.layers
    assert isinstance(layer, Linear)
    assert weights[layer.name].spec.format == UNSIGNED
    assert weights[layer.name].codes.shape == (5, 6)
    assert weights[layer.name].params.zero_point.tolist() == [130.0] * 5
    np.testing.assert_array_equal(weights[layer.name].dequantize(), layer.weight)
    assert {name: params.spec.format for name, params in activations.items()} == dict.fromkeys(("x", "y"), UNSIGNED)


def with_domain(path: Path, domain: str = "com.microsoft") -> Path:
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("turned", [0, 1])
def test_gemm_on_integers_with_a_float_result(sketch: Sketch, turned: int) -> None:
    generator = np.random.default_rng(0)
    x = scales(sketch, "x", 0.03, np.uint8(120))
    shape = (5, 6) if turned else (6, 5)
    sketch.constant("w", generator.integers(-127, 128, shape).astype(np.int8))
    w = scales(sketch, "w", np.linspace(0.01, 0.02, 5), np.zeros(5, np.int8))
    sketch.constant("b", generator.integers(-500, 500, 5).astype(np.int32))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("QGemm", f"xq {x} w {w} b", "y", "fc", domain="com.microsoft", transB=turned)
    sketch.save(("n", 6))
    network, weights, activations = read(with_domain(sketch.path))
    assert list(weights) == [layer.name for layer in network.layers]
    assert list(activations) == ["x"]
    assert weights[network.layers[0].name].spec.token == "8c"


def test_sums_of_dynamic_codes_are_layers_without_parameters(sketch: Sketch) -> None:
    generator = np.random.default_rng(0)
    sketch.node("DynamicQuantizeLinear", "x", "xq xs xz")
    sketch.constant("w", generator.integers(-127, 128, (6, 5)).astype(np.int8))
    sketch.constant("ws", np.float32(0.02))
    sketch.constant("wz", np.int8(3))
    sketch.node("MatMulInteger", "xq w xz wz", "sums", "fc")
    sketch.node("Cast", "sums", "real", to=TensorProto.FLOAT)
    sketch.node("Mul", "xs ws", "scale")
    sketch.node("Mul", "real scale", "scaled")
    sketch.weights("b", 5)
    sketch.node("Add", "scaled b", "y")
    network, weights, activations = read(sketch.save(("n", 6)))
    assert [type(node) for node in network.nodes] == [Linear]
    assert activations == {}
    assert network.metadata["dynamic_activations"] == "x"
    (tensor,) = weights.values()
    assert tensor.spec.granularity == PerTensor()
    assert float(tensor.params.zero_point) == 3


def test_convolution_of_dynamic_codes(sketch: Sketch) -> None:
    sketch.node("DynamicQuantizeLinear", "x", "xq xs xz")
    sketch.constant("w", np.random.default_rng(0).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8))
    sketch.constant("ws", np.float32(0.02))
    sketch.node("ConvInteger", "xq w xz", "sums", "conv", pads=[1, 1, 1, 1], strides=[2, 2])
    sketch.node("Cast", "sums", "real", to=TensorProto.FLOAT)
    sketch.node("Mul", "xs ws", "scale")
    sketch.node("Mul", "real scale", "y")
    network, weights, _ = read(sketch.save())
    (conv,) = network.nodes
    assert isinstance(conv, Conv)
    assert (conv.strides, list(weights)) == ((2, 2), [conv.name])


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_four_bits_in_blocks(sketch: Sketch, kind: int) -> None:
    generator = np.random.default_rng(0)
    low = -8 if kind == TensorProto.INT4 else 0
    values = generator.integers(low, low + 16, (64, 5))
    sketch.constants["w"] = helper.make_tensor("w", kind, values.shape, values.reshape(-1).tolist())
    sketch.constant("ws", generator.uniform(0.01, 0.02, (2, 5)).astype(np.float32))
    zero = [0 if low else 8] * 10
    sketch.constants["wz"] = helper.make_tensor("wz", kind, (2, 5), zero)
    sketch.node("DequantizeLinear", "w ws wz", "wr", axis=0, block_size=32)
    sketch.node("MatMul", "x wr", "y", "fc")
    sketch.save(("n", 64), opset=21)
    model = onnx.load(sketch.path)
    model.ir_version = 10
    sketch.path.write_bytes(model.SerializeToString())
    network, weights, activations = read(sketch.path)
    (tensor,) = weights.values()
    assert tensor.spec.granularity == PerGroup(32)
    assert (tensor.spec.format.bits, tensor.codes.shape, tensor.params.scale.shape) == (4, (5, 64), (5, 2))
    np.testing.assert_array_equal(tensor.codes, values.T)
    np.testing.assert_array_equal(tensor.dequantize(), network.layers[0].weight)
    assert activations == {}


def test_four_bits_packed_for_onnxruntime(sketch: Sketch) -> None:
    generator = np.random.default_rng(0)
    packed = generator.integers(0, 256, (5, 2, 16)).astype(np.uint8)
    sketch.constant("w", packed)
    sketch.constant("ws", generator.uniform(0.01, 0.02, 10).astype(np.float32))
    sketch.constant("wz", generator.integers(0, 256, 5).astype(np.uint8))
    sketch.node("MatMulNBits", "x w ws wz", "y", "fc", domain="com.microsoft", K=64, N=5, bits=4, block_size=32)
    sketch.save(("n", 64))
    network, weights, _ = read(with_domain(sketch.path))
    (tensor,) = weights.values()
    assert tensor.spec.granularity == PerGroup(32)
    np.testing.assert_array_equal(tensor.codes[0, :2], [packed[0, 0, 0] & 15, packed[0, 0, 0] >> 4])
    np.testing.assert_array_equal(tensor.dequantize(), network.layers[0].weight)


def test_codes_clipped_to_fewer_bits_have_fewer_bits(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.25, np.int8(0))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.constant("low", np.int8(-8))
    sketch.constant("high", np.int8(7))
    sketch.node("Clip", "xq low high", "xc")
    sketch.node("DequantizeLinear", f"xc {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "y", "conv")
    _, _, activations = parts(read_quantized(sketch.save()))
    assert activations["x"].spec.format == Uniform(4, signed=True, symmetric=False)


def test_codes_are_padded_with_a_code(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.25, np.uint8(4))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.constant("pads", np.asarray([0, 0, 1, 0, 0, 0, 0, 1]))
    sketch.constant("code", np.uint8(4))
    sketch.node("Pad", "xq pads code", "xp")
    sketch.node("DequantizeLinear", f"xp {x}", "xr")
    sketch.weights("w", 4, 3, 2, 2)
    sketch.node("Conv", "xr w", "y", "conv")
    network, _, _ = parts(read_quantized(sketch.save()))
    (conv,) = network.nodes
    assert isinstance(conv, Conv)
    assert conv.pads == (1, 0, 0, 1)


def test_mean_without_parameters_of_its_own_has_those_of_what_it_is_flattened_to(sketch: Sketch) -> None:
    x, y = scales(sketch, "x", 0.03, np.uint8(120)), scales(sketch, "y", 0.01, np.uint8(128))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "xr")
    sketch.node("ReduceMean", "xr", "m", axes=[2, 3], keepdims=0)
    sketch.node("QuantizeLinear", f"m {y}", "mq")
    sketch.node("DequantizeLinear", f"mq {y}", "y")
    network, _, activations = read(sketch.save())
    assert set(network.shapes) == activations.keys()


def test_input_of_codes_becomes_a_float_input_with_parameters(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.25, np.uint8(7))
    sketch.node("DequantizeLinear", f"x {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "y", "conv")
    network, _, activations = parts(read_quantized(sketch.save(kind=TensorProto.UINT8)))
    assert network.dtypes == {}
    assert (float(activations["x"].scale), float(activations["x"].zero_point)) == (0.25, 7)


def test_a_zero_point_may_have_a_dimension_more_than_its_scale(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.03, np.asarray([120], np.uint8))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "y", "conv")
    assert float(read_quantized(sketch.save()).activations["x"].zero_point) == 120


def test_relu_that_codes_alone_did_is_put_back(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.03, np.uint8(120))
    y = scales(sketch, "y", 0.03, np.uint8(0))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "a", "conv")
    sketch.node("QuantizeLinear", f"a {y}", "aq")
    sketch.node("DequantizeLinear", f"aq {y}", "y")
    network, _, activations = read(sketch.save())
    (conv,) = network.nodes
    assert isinstance(conv, Conv)
    assert conv.activation is not None
    assert conv.activation == Clamp(0.0, float(np.float32(0.03) * 255))  # a relu6 may have been left out as well
    assert activations.keys() == {"x", "y"}


def test_clamps_have_the_form_of_an_old_operator_set(sketch: Sketch) -> None:
    y = scales(sketch, "y", 0.03, np.uint8(0))
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "x w", "a", "conv")
    sketch.node("QuantizeLinear", f"a {y}", "aq")
    sketch.node("DequantizeLinear", f"aq {y}", "y")
    network, _, _ = read(sketch.save(opset=10))
    (conv,) = network.nodes
    assert isinstance(conv, Conv)
    assert conv.activation == Clamp(0.0, float(np.float32(0.03) * 255))


def test_sixteen_bits_run_in_float_within_their_range(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.001, np.uint16(1000))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "y")
    sketch.save(opset=21)
    model = onnx.load(sketch.path)
    model.ir_version = 10
    sketch.path.write_bytes(model.SerializeToString())
    network, weights, activations = read(sketch.path)
    (node,) = network.nodes
    assert isinstance(node, Activation)
    assert (node.clamp.low, node.clamp.high) == (np.float32(-1.0), np.float32(64.535))
    assert weights == activations == {}


@pytest.mark.parametrize(("low", "high"), [(-6.4, 6.35), (0.0, 3.0)])
def test_an_output_of_codes_saturates_where_the_file_does(sketch: Sketch, low: float, high: float) -> None:
    x, scale = scales(sketch, "x", 0.05, np.uint8(128)), np.float32((high - low) / 255)
    y = scales(sketch, "y", float(scale), np.uint8(round(-low / scale)))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "c", "conv")
    sketch.node("GlobalAveragePool", "c", "g")
    sketch.node("Flatten", "g", "f")
    sketch.constant("v", 50 * np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32))
    sketch.node("MatMul", "f v", "z", "fc")
    sketch.node("QuantizeLinear", f"z {y}", "yq")
    sketch.node("DequantizeLinear", f"yq {y}", "y")
    kept = read_quantized(sketch.save())
    network, params = kept.network, kept.activations[kept.network.output]
    images = 4 * np.random.default_rng(0).normal(size=(8, *network.input_shape)).astype(np.float32)
    (expected,) = outputs_of_file(sketch.path, {"x": images})
    assert expected.max() == pytest.approx(float(params.scale) * (255 - float(params.zero_point)))
    with build_session(kept, threads=1) as session:
        found = session.run(images)
    assert np.abs(found - expected).max() < 0.6 * float(params.scale)


def test_what_a_layer_takes_in_saturates_before_what_comes_after(sketch: Sketch) -> None:
    x, c, y = (scales(sketch, name, scale, np.uint8(128)) for name, scale in (("x", 0.05), ("c", 0.01), ("y", 0.05)))
    sketch.node("QuantizeLinear", f"x {x}", "xq")
    sketch.node("DequantizeLinear", f"xq {x}", "xr")
    sketch.weights("w", 4, 3, 1, 1)
    sketch.node("Conv", "xr w", "c", "conv")
    sketch.node("QuantizeLinear", f"c {c}", "cq")
    sketch.node("DequantizeLinear", f"cq {c}", "cr")
    sketch.node("Relu", "cr", "r")
    sketch.node("QuantizeLinear", f"r {y}", "yq")
    sketch.node("DequantizeLinear", f"yq {y}", "y")
    sketch.save()
    network = read_quantized(sketch.path).network
    images = np.random.default_rng(0).uniform(-6, 6, (4, *network.input_shape)).astype(np.float32)
    (found,), (expected,) = (outputs_of_file(file, {"x": images}) for file in (to_onnx_bytes(network), sketch.path))
    assert expected.max() <= 1.3
    assert np.abs(found - expected).max() < 0.1


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_what_a_pattern_takes_in_gets_no_clamp_that_would_hide_it(form: str, tmp_path: Path) -> None:
    exported = Path(__file__).parents[1] / "exported" / "shufflenet_script.onnx"
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    path = small.quantized_static(exported, tmp_path / "static.onnx", feeds={"x": x}, form=form)
    network = read_quantized(path, residuals=False).network
    assert not network.foreign
    assert len(network.nodes) == 19
    (found,), (expected,) = (outputs_of_file(file, {"x": x}) for file in (to_onnx_bytes(network), path))
    assert 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()) > 45


def test_an_output_of_fewer_bits_saturates_at_theirs(sketch: Sketch) -> None:
    x = scales(sketch, "x", 0.25, np.int8(0))
    sketch.node("AveragePool", "x", "a", "pool", kernel_shape=[1, 1])
    sketch.node("QuantizeLinear", f"a {x}", "xq")
    sketch.constant("low", np.int8(-8))
    sketch.constant("high", np.int8(7))
    sketch.node("Clip", "xq low high", "xc")
    sketch.node("DequantizeLinear", f"xc {x}", "y")
    network = read_quantized(sketch.save(opset=13)).network
    images = 4 * np.random.default_rng(0).normal(size=(4, *network.input_shape)).astype(np.float32)
    (found,) = outputs_of_file(to_onnx_bytes(network), {"x": images})
    assert (found.min(), found.max()) == (-2.0, 1.75)


def test_float_file_has_nothing_quantized() -> None:
    with pytest.raises(ModelError, match="expected quantized tensors, found none"):
        read_quantized(model_path("resnet20"))


@pytest.mark.parametrize(
    ("scale", "zero", "message"),
    [
        (np.float32(0), np.uint8(0), "expected one scale above 0"),
        (np.full(3, 0.1, np.float32), np.zeros(3, np.uint8), "expected one scale above 0, got 3 of them"),
        (np.float32(1), np.zeros(3, np.uint8), "expected a zero point for each scale (), got (3,)"),
    ],
)
def test_parameters_that_no_tensor_can_have_are_refused(sketch: Sketch, scale: Any, zero: Any, message: str) -> None:
    sketch.constant("s", scale)
    sketch.constant("z", zero)
    sketch.node("QuantizeLinear", "x s z", "q")
    sketch.node("DequantizeLinear", "q s z", "y")
    sketch.save(opset=21)
    model = onnx.load(sketch.path)
    model.ir_version = 10
    sketch.path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_quantized(sketch.path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_of_a_table_of_codes_that_an_operator_on_codes_reads(sketch: Sketch) -> None:
    table = np.random.default_rng(0).integers(0, 256, (2, 4)).astype(np.uint8)
    sketch.constant("t", table)
    t, y = scales(sketch, "t_", 0.02, np.uint8(100)), scales(sketch, "y", 0.05, np.uint8(120))
    sketch.node("Gather", "t x", "g", "words")
    sketch.node("QLinearAdd", f"g {t} g {t} {y}", "a", "add", domain="com.microsoft")
    sketch.node("DequantizeLinear", f"a {y}", "y")
    sketch.save(("n", 3), kind=TensorProto.INT64)
    path = with_domain(sketch.path)
    network = read_quantized(path).network
    feeds = {"x": np.asarray([[0, 1, 1], [1, 0, 0]])}
    (found,), (expected,) = (outputs_of_file(file, feeds) for file in (to_onnx_bytes(network), path))
    np.testing.assert_allclose(found, expected, atol=0.026)


def test_scales_of_another_number_than_the_codes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"scales \(16,\) do not fit axis 0 of codes \(10,\)"):
        Codes("int32", np.zeros(10, np.int64), np.ones(16, np.float32), np.zeros(16, np.float32))
