"""Operators whose scales are computed anew for every input, and weights packed for onnxruntime only."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from qbench.graph.nodes import Floats
from qbench.graph.onnx.file import Array
from qbench.graph.quantized.codes import Codes
from qbench.graph.quantized.unquantize import Unquantizer, attributes_of, integer_of


def dynamic_quantize(to: Unquantizer, proto: NodeProto) -> None:
    """DynamicQuantizeLinear: its codes stand for its input, its scale is known only when it runs."""
    source = proto.input[0]
    to.dynamic.add(source)
    to.real[proto.output[0]] = source
    to.dynamic_scales[proto.output[1]] = (source, np.ones((), np.float32))


def integer_product(to: Unquantizer, proto: NodeProto) -> None:
    """MatMulInteger or ConvInteger of dynamic codes and constant ones: waits for the scale that its sums get."""
    if proto.input[0] in to.real and to.is_constant(proto, 1):
        to.sums[proto.output[0]] = proto
        return
    to.keep(proto)


def cast(to: Unquantizer, proto: NodeProto) -> None:
    """Cast of 32-bit sums to float32."""
    if proto.input[0] in to.sums:
        to.sums[proto.output[0]] = to.sums[proto.input[0]]
        return
    to.keep(proto)


def mul(to: Unquantizer, proto: NodeProto) -> None:
    """Mul of a dynamic scale with the weights', or of sums with both."""
    names = list(proto.input)
    for first, second in ((0, 1), (1, 0)):
        if names[first] in to.dynamic_scales and to.is_constant(proto, second):
            source, factor = to.dynamic_scales[names[first]]
            scale = factor * to.constant(proto, second).astype(np.float32)
            to.dynamic_scales[proto.output[0]] = (source, scale)
            return
        if names[first] in to.sums and names[second] in to.dynamic_scales:
            _scaled_sums(to, proto, to.sums[names[first]], to.dynamic_scales[names[second]][1])
            return
    to.keep(proto)


def _scaled_sums(to: Unquantizer, proto: NodeProto, product: NodeProto, scale: Floats) -> None:
    zero = to.constant(product, 3).astype(np.float32) if to.has(product, 3) else np.zeros((), np.float32)
    if zero.size > 1 and scale.size not in (1, zero.size):
        raise to.fail(product, f"expected a zero point for each scale {scale.shape}, got {zero.shape}")
    many = max(scale.size, zero.size) > 1
    scale, zero = (
        np.ravel(one) if many else one.reshape(()) for one in np.broadcast_arrays(np.ravel(scale), np.ravel(zero))
    )
    is_conv = product.op_type == "ConvInteger"
    codes = to.codes(product, 1, scale, zero, axis=0 if is_conv else 1)
    weight = to.weight(f"{proto.output[0]}:weight", codes)
    attributes = attributes_of(product)
    op = "Conv" if is_conv else "MatMul"
    to.emit(op, [to.real[product.input[0]], weight], proto.output[0], product, **attributes)


def dynamic_matmul(to: Unquantizer, proto: NodeProto) -> None:
    """DynamicQuantizeMatMul: a float tensor, codes, their scale and zero point, a float bias."""
    kind, scale, zero = to.pair(proto, 2)
    del kind
    to.dynamic.add(proto.input[0])
    weight = to.weight(f"{proto.output[0]}:weight", to.codes(proto, 1, scale, zero, axis=1))
    biased = to.has(proto, 4)
    product = f"{proto.output[0]}:product" if biased else proto.output[0]
    to.emit("MatMul", [proto.input[0], weight], product, proto)
    if biased:
        to.emit("Add", [product, proto.input[4]], proto.output[0], proto)


def matmul_bits(to: Unquantizer, proto: NodeProto) -> None:
    """MatMulNBits of 4 or 8 bits: (n, blocks, bytes) packed low half first, scales and zero points per block."""
    depth, rows, bits, block = (integer_of(proto, key, 0) for key in ("K", "N", "bits", "block_size"))
    if bits not in (4, 8) or block < 1 or any(to.has(proto, index) for index in (4,)):
        raise to.fail(proto, f"expected 4 or 8 bits in order, got {bits}")
    blocks = -(-depth // block)
    values = _unpacked(to.constant(proto, 1), bits).reshape(rows, blocks * block)[:, :depth]
    scale = to.constant(proto, 2).astype(np.float32).reshape(rows, blocks)
    zero = np.full(scale.shape, 2 ** (bits - 1), np.float32)
    if to.has(proto, 3):
        zero_points = to.constant(proto, 3)
        plain = zero_points if zero_points.dtype.kind == "f" else _unpacked(zero_points.reshape(rows, -1), bits)
        zero = plain.reshape(rows, -1)[:, :blocks].astype(np.float32)
    codes = Codes(f"uint{bits}", values.astype(np.int64), scale, zero, 1, block)
    turned = to.weight(f"{proto.output[0]}:weight", codes.turned())
    biased = to.has(proto, 5)
    product = f"{proto.output[0]}:product" if biased else proto.output[0]
    to.emit("MatMul", [proto.input[0], turned], product, proto)
    if biased:
        to.emit("Add", [product, proto.input[5]], proto.output[0], proto)


def _unpacked(packed: Array, bits: int) -> Array:
    if bits == 8:
        return packed
    halves = packed.astype(np.uint8)
    return np.stack([halves & 0x0F, halves >> 4], axis=-1).reshape(*packed.shape[:-1], -1)
