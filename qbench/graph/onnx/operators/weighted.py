"""Operators with weights, and those that can be folded into weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import helper

from qbench.graph.nodes import Add, Conv, Floats, Linear, Mul, Shape, Unary
from qbench.graph.onnx.draft import Affine, Alias, Draft, Raw, UntypedError
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.operators.windows import pads_of

Reals = npt.NDArray[np.float64]


def _bias(node: NodeReader, size: int, default: Floats) -> Floats:
    if not node.has(2):
        return default
    bias = node.floats(2, "bias").reshape(-1)
    if bias.size not in (1, size):
        raise node.fail(f"expected a bias of {size} numbers, got {bias.size}")
    return np.ascontiguousarray(np.broadcast_to(bias, size))


def conv(node: NodeReader) -> Draft:
    """Read a two-dimensional Conv with constant weights."""
    weight = node.floats(1, "weight", rank=4)
    channels = node.image()[0]
    kernel = (weight.shape[2], weight.shape[3])
    if node.several("kernel_shape") not in (None, kernel):
        raise node.fail(f"kernel_shape {node.several('kernel_shape')} differs from its weight {weight.shape}")
    strides, dilations = node.pair("strides", (1, 1)), node.pair("dilations", (1, 1))
    groups = node.integer("group", 1)
    if groups < 1:
        raise node.fail(f"expected a group of at least 1, got {groups}")
    if weight.shape[1] * groups != channels or weight.shape[0] % groups:
        raise node.fail(f"weight {weight.shape} in {groups} group(s) does not fit {channels} channels")
    bias = _bias(node, weight.shape[0], np.zeros(weight.shape[0], np.float32))
    pads = pads_of(node, kernel, strides, dilations)
    source = node.proto.input[1]
    return Conv(
        node.scope(1), node.tensor(), node.output, weight, bias, strides, pads, dilations, groups, source=source
    )


def gemm(node: NodeReader) -> Draft:
    """Read Gemm with constant weights; alpha and beta are folded into them."""
    weight = node.floats(1, "weight", rank=2)
    if node.integer("transA", 0):
        raise UntypedError("transA = 1")
    if not node.integer("transB", 0):
        weight = weight.T
    if node.has(2) and node.array(2, "bias").ndim == 2 and node.array(2, "bias").shape[0] != 1:
        raise UntypedError("its bias differs from image to image")
    bias = _bias(node, weight.shape[0], np.zeros(weight.shape[0], np.float32))
    alpha = np.float32(node.number("alpha", 1.0))
    weight = np.ascontiguousarray(weight * alpha)
    bias = bias * np.float32(node.number("beta", 1.0))
    source = node.proto.input[1] if alpha == 1 else ""
    return Linear(node.scope(1), node.tensor(), node.output, weight, bias, source=source)


def matmul(node: NodeReader) -> Draft:
    """Read MatMul with constant weights on its right."""
    if node.is_constant(0) or not node.is_constant(1):
        raise UntypedError("no constant weights on its right")
    if len(node.shape()) not in (1, 2):
        raise UntypedError(f"of (batch, {node.shape()}), neither (tokens, c) nor (k,)")
    weight = np.ascontiguousarray(node.floats(1, "weight", rank=2).T)
    zeros = np.zeros(weight.shape[0], np.float32)
    return Linear(node.scope(1), node.tensor(), node.output, weight, zeros, source=node.proto.input[1])


def batch_normalization(node: NodeReader) -> Draft:
    """Read BatchNormalization as y = x * scale + offset, computed in float64."""
    if node.integer("training_mode", 0) or len(node.outputs) > 1:
        raise UntypedError("in training mode")
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, mean, variance = (node.floats(i + 1, what, rank=1).astype(np.float64) for i, what in enumerate(names))
    channels = node.shape()[0] if node.shape() else 0
    if any(values.size != channels for values in (gamma, beta, mean, variance)):
        raise node.fail(f"expected {channels} numbers in each of {', '.join(names)}")
    spread = variance + node.number("epsilon", 1e-5)
    if spread.min() <= 0:
        raise node.fail("its variance is negative")
    scale = gamma / np.sqrt(spread)
    return Affine(node.scope(), node.op, node.tensor(), node.output, scale, beta - mean * scale, raw=node.raw(_ALONE))


_ALONE = "no layer can take it in"


def arithmetic(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read a sum, difference, product or quotient of two tensors, or of one with a constant a channel."""
    if not node.is_constant(0) and not node.is_constant(1):
        return _of_two(node)
    index = 1 if node.is_constant(1) else 0
    values, axis = _per_channel(node.numbers(index, "constant").astype(np.float64), node.shape(1 - index))
    one, zero = np.ones_like(values), np.zeros_like(values)
    if node.op == "Div" and index == 1 and not values.all():
        raise node.fail("its constant holds a zero")
    source = node.tensor(1 - index)
    if index == 0 and node.op == "Div":
        inverse = f"{node.output}:reciprocal"
        made = Affine(node.scope(), "Mul", inverse, node.output, values, zero, axis=axis, raw=_product(node, inverse))
        return Unary(node.scope(), "reciprocal", source, inverse), made
    scale, offset = {
        "Add": (one, values), "Mul": (values, zero), "Div": (1 / values if values.all() else zero, zero),
        "Sub": (one, -values) if index == 1 else (-one, values),
    }[node.op]  # fmt: skip
    raw = node.raw(_ALONE)
    return Affine(node.scope(index), node.op, source, node.output, scale, offset, axis=axis, raw=raw)


def _product(node: NodeReader, inverse: str) -> Raw:
    """Return the product of the constant on the left of a Div with a reciprocal."""
    proto = helper.make_node("Mul", [inverse, node.proto.input[0]], [node.output], name=node.label)
    return Raw(node.scope(), (proto,), (inverse,), (inverse,), (node.output,), f"node '{node.label}' (Div): {_ALONE}")


def negate(node: NodeReader) -> Draft:
    """Read Neg."""
    scale, offset = -np.ones(1), np.zeros(1)
    return Affine(node.scope(), node.op, node.tensor(), node.output, scale, offset, axis=None, raw=node.raw(_ALONE))


def total(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read Sum of tensors of one shape, one after the other."""
    names = [node.tensor(index) for index in range(len(node.proto.input))]
    shapes = {node.shape(index) for index in range(len(names))}
    if len(shapes) > 1:
        raise UntypedError(f"of tensors {sorted(shapes)}")
    if len(names) == 1:
        return Alias(node.scope(), names[0], node.output)
    made: list[Draft] = []
    for index, other in enumerate(names[1:], 1):
        output = node.output if index == len(names) - 1 else f"{node.output}:sum{index}"
        made.append(Add(node.scope(), (names[0] if index == 1 else made[-1].output, other), output))
    return tuple(made)


def _difference(node: NodeReader, names: tuple[str, str]) -> tuple[Draft, ...]:
    """Return a sum with the negated tensor: a layer that it comes from takes the sign in."""
    negated = f"{node.output}:negated"
    protos = (helper.make_node("Neg", [names[1]], [negated], name=f"{node.label}.neg"),)
    raw = Raw(node.scope(), protos, names[1:], names[1:], (negated,), f"node '{node.label}' (Sub): {_ALONE}")
    minus = Affine(node.scope(), "Sub", names[1], negated, -np.ones(1), np.zeros(1), axis=None, raw=raw)
    return minus, Add(node.scope(), (names[0], negated), node.output)


def _of_two(node: NodeReader) -> Draft | tuple[Draft, ...]:
    first, second = node.shape(0), node.shape(1)
    names = (node.tensor(0), node.tensor(1))
    if node.op == "Add" and first == second:
        return Add(node.scope(), names, node.output)
    if node.op == "Sub" and first == second:
        return _difference(node, names)
    if node.op == "Mul" and first == second:
        return Mul(node.scope(), names, node.output)
    if node.op == "Mul" and len(first) == len(second) == 3:
        gates = [shape[0] == other[0] and shape[1:] == (1, 1) for shape, other in ((second, first), (first, second))]
        if any(gates):
            return Mul(node.scope(), names if gates[0] else names[::-1], node.output)
    raise UntypedError(f"of two tensors {first} and {second}")


def _per_channel(values: Reals, shape: Shape) -> tuple[Reals, int | None]:
    """Return a constant as one number per channel, and the channels' axis, or one number and None."""
    if values.size == 1 and values.ndim <= len(shape) + 1:
        return values.reshape(1), None
    sizes = (1,) * (len(shape) + 1 - values.ndim) + values.shape
    wide = [axis for axis, size in enumerate(sizes[1:]) if size > 1]
    if len(sizes) != len(shape) + 1 or sizes[0] != 1 or len(wide) != 1 or sizes[1:][wide[0]] != shape[wide[0]]:
        raise UntypedError(f"its constant {values.shape} is not one number per channel of {shape}")
    return values.reshape(-1), wide[0]
