"""Operators of quantized files, each as the float operator that it stands for. To add one: a function, a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import NodeProto, TensorProto

from qbench.graph.nodes import Floats
from qbench.graph.onnx.tensor_type import DTYPE_NAMES
from qbench.graph.quantized.codes import RANGES, WIDE, Codes, tensor_params
from qbench.graph.quantized.dynamic_operators import (
    cast,
    dynamic_matmul,
    dynamic_quantize,
    integer_product,
    matmul_bits,
    mul,
)
from qbench.graph.quantized.unquantize import Unquantizer, attributes_of, integer_of

Handler = Callable[[Unquantizer, NodeProto], None]


def _float(to: Unquantizer, proto: NodeProto, index: int, *, name: str = "") -> str:
    """Return the float tensor of codes, their scale and zero point at inputs `index` and the two after it."""
    kind, scale, zero = to.pair(proto, index + 1)
    if to.is_constant(proto, index):
        return to.weight(name or f"{proto.output[0]}:{index}", to.codes(proto, index, scale, zero))
    return to.input_real(proto, index, kind, scale, zero)


def _written(to: Unquantizer, proto: NodeProto, source: str, index: int) -> None:
    """Quantize a float result by the scale and zero point at inputs `index` and the next."""
    kind, scale, zero = to.pair(proto, index)
    _codes_of(to, proto, source, kind or "uint8", scale, zero)


def _codes_of(to: Unquantizer, proto: NodeProto, source: str, kind: str, scale: Floats, zero: Floats) -> None:
    """Note that a node's output is the codes of `source`; those of no kernel only keep it in their range."""
    output = proto.output[0]
    if kind in WIDE and scale.size == 1:
        low, high = (float(scale.reshape(())) * (end - float(zero.reshape(()))) for end in WIDE[kind])
        to.clamped(source, output, low, high)
        to.wide.add(output)
        return
    to.quantized(source, output, tensor_params(kind, scale, zero, f"tensor '{proto.input[0]}'"))


def quantize_linear(to: Unquantizer, proto: NodeProto) -> None:
    """QuantizeLinear of a computed tensor."""
    kind, scale, zero = to.pair(proto, 1)
    output_type = DTYPE_NAMES[integer_of(proto, "output_dtype", 0) or TensorProto.UINT8]
    source = to.real.get(proto.input[0], proto.input[0])
    _codes_of(to, proto, source, kind or output_type, scale, zero)


def dequantize_linear(to: Unquantizer, proto: NodeProto) -> None:
    """DequantizeLinear of constant codes, or of those that stand for a tensor."""
    kind, scale, zero = to.pair(proto, 1)
    output = proto.output[0]
    if to.is_constant(proto, 0):
        rank = to.constant(proto, 0).ndim
        axis = integer_of(proto, "axis", 1)
        block = integer_of(proto, "block_size", 0)
        codes = to.codes(proto, 0, scale, zero, axis=axis % max(1, rank) if scale.size > 1 or block else 0, block=block)
        to.weight(output, codes)
        return
    to.emit("Identity", [to.input_real(proto, 0, kind, scale, zero)], output, proto)


def conv(to: Unquantizer, proto: NodeProto) -> None:
    """QLinearConv."""
    x = _float(to, proto, 0)
    w = _float(to, proto, 3, name=f"{proto.output[0]}:weight")
    inputs = [x, w]
    if to.has(proto, 8):
        scale = to.constant(proto, 1).astype(np.float32) * to.constant(proto, 4).astype(np.float32)
        inputs.append(_bias(to, proto, 8, scale))
    _written(to, proto, to.emit("Conv", inputs, f"{proto.output[0]}:float", proto, **attributes_of(proto)), 6)


def _bias(to: Unquantizer, proto: NodeProto, index: int, scale: Floats) -> str:
    """Add the reals of a bias of 32-bit codes."""
    name = f"{proto.output[0]}:bias"
    codes = to.constant(proto, index)
    to.weight(name, Codes("int32", codes.astype(np.int64), scale.reshape(-1) if scale.size > 1 else scale.reshape(()),
                          np.zeros(scale.shape if scale.size > 1 else (), np.float32)))  # fmt: skip
    return name


def matmul(to: Unquantizer, proto: NodeProto) -> None:
    """QLinearMatMul."""
    a, b = _float(to, proto, 0), _product_weight(to, proto, 3, 4)
    _written(to, proto, to.emit("MatMul", [a, b], f"{proto.output[0]}:float", proto), 6)


def _product_weight(to: Unquantizer, proto: NodeProto, index: int, scale_at: int) -> str:
    """Return the float tensor of the right side of a product, whose scales belong to its columns."""
    kind, scale, zero = to.pair(proto, scale_at)
    if not to.is_constant(proto, index):
        return to.input_real(proto, index, kind, scale, zero)
    scale, zero = (v.reshape(-1) if v.size > 1 else v for v in (scale, zero))
    return to.weight(f"{proto.output[0]}:weight", to.codes(proto, index, scale, zero, axis=1))


def gemm(to: Unquantizer, proto: NodeProto) -> None:
    """QGemm; without an output scale its result is float32."""
    attributes = attributes_of(proto)
    turned = bool(attributes.get("transB", 0))
    a = _float(to, proto, 0)
    kind, scale, zero = to.pair(proto, 4)
    if to.is_constant(proto, 3):
        b = to.weight(f"{proto.output[0]}:weight", to.codes(proto, 3, scale, zero, axis=0 if turned else 1))
    else:
        b = to.input_real(proto, 3, kind, scale, zero)
    inputs = [a, b]
    if to.has(proto, 6):
        factor = np.float32(next((e.f for e in proto.attribute if e.name == "alpha"), 1.0))
        inputs.append(_bias(to, proto, 6, (to.constant(proto, 1).astype(np.float32) * scale * factor)))
    scaled = to.has(proto, 7)
    output = f"{proto.output[0]}:float" if scaled else proto.output[0]
    to.emit("Gemm", inputs, output, proto, **attributes)
    if scaled:
        _written(to, proto, output, 7)


def _binary(op: str) -> Handler:
    def handler(to: Unquantizer, proto: NodeProto) -> None:
        inputs = [_float(to, proto, 0), _float(to, proto, 3)]
        _written(to, proto, to.emit(op, inputs, f"{proto.output[0]}:float", proto), 6)

    return handler


def _unary(op: str) -> Handler:
    def handler(to: Unquantizer, proto: NodeProto) -> None:
        attributes = {
            key: value for key, value in attributes_of(proto).items() if key not in ("channels_last", "opset")
        }
        if integer_of(proto, "channels_last", 0):
            raise to.fail(proto, "expected channels first")
        _written(to, proto, to.emit(op, [_float(to, proto, 0)], f"{proto.output[0]}:float", proto, **attributes), 3)

    return handler


def concat(to: Unquantizer, proto: NodeProto) -> None:
    """QLinearConcat: the output's parameters, then a tensor and its parameters for each part."""
    inputs = [_float(to, proto, index) for index in range(2, len(proto.input), 3)]
    _written(to, proto, to.emit("Concat", inputs, f"{proto.output[0]}:float", proto, **attributes_of(proto)), 0)


def gather(to: Unquantizer, proto: NodeProto) -> None:
    """Gather of rows of constant codes (an embedding), whose scale the operator that reads them has."""
    reader = to.reader(proto.output[0])
    if reader is None or not to.is_constant(proto, 0) or str(to.constant(proto, 0).dtype) not in RANGES:
        to.keep_or_move(proto)
        return
    _, scale, zero = to.pair(reader, list(reader.input).index(proto.output[0]) + 1)
    table = to.weight(f"{proto.output[0]}:table", to.codes(proto, 0, scale, zero))
    real = to.emit("Gather", [table, proto.input[1]], f"{proto.output[0]}:real", proto, **attributes_of(proto))
    to.real[proto.output[0]] = real


def pad(to: Unquantizer, proto: NodeProto) -> None:
    """Pad, which may pad codes with a code."""
    source = to.real.get(proto.input[0], proto.input[0])
    if source == proto.input[0] or not to.is_constant(proto, 2):
        to.keep_or_move(proto)
        return
    params = to.activations[source]
    code = to.constant(proto, 2).astype(np.float32)
    value = f"{proto.output[0]}:value"
    to.add(value, ((code - params.zero_point) * params.scale).astype(np.float32))
    inputs = [source, proto.input[1], value, *proto.input[3:]]
    to.moved(proto, inputs)


def clip(to: Unquantizer, proto: NodeProto) -> None:
    """Clip, which narrows codes where it stands between quantizing and dequantizing."""
    if proto.input[0] in to.real and to.real[proto.input[0]] != proto.input[0]:
        low = float(to.constant(proto, 1)) if to.has(proto, 1) else -np.inf
        high = float(to.constant(proto, 2)) if to.has(proto, 2) else np.inf
        to.clip(proto, low, high)
        return
    to.keep(proto)


OPERATORS: Mapping[str, Handler] = {
    "Cast": cast,
    "Clip": clip,
    "ConvInteger": integer_product,
    "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize,
    "DynamicQuantizeMatMul": dynamic_matmul,
    "Gather": gather,
    "MatMulInteger": integer_product,
    "MatMulNBits": matmul_bits,
    "Mul": mul,
    "Pad": pad,
    "QGemm": gemm,
    "QLinearAdd": _binary("Add"),
    "QLinearAveragePool": _unary("AveragePool"),
    "QLinearConcat": concat,
    "QLinearConv": conv,
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    "QLinearLeakyRelu": _unary("LeakyRelu"),
    "QLinearMatMul": matmul,
    "QLinearMul": _binary("Mul"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _unary("Softmax"),
    "QuantizeLinear": quantize_linear,
}

SIGNS = OPERATORS.keys() - {"Cast", "Clip", "Gather", "Mul", "Pad"}
"""Operators by which a quantized file is known."""
