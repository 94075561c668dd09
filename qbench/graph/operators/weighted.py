"""Operators with weights, and those that can be folded into weights."""

from __future__ import annotations

import numpy as np

from qbench.graph.draft import Affine, Draft
from qbench.graph.network import Add, Conv, Floats, Linear
from qbench.graph.node_reader import NodeReader
from qbench.graph.operators.windows import pads_of


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
    kernel = (weight.shape[2], weight.shape[3])
    if node.several("kernel_shape") not in (None, kernel):
        raise node.fail(f"kernel_shape {node.several('kernel_shape')} differs from its weight {weight.shape}")
    strides, dilations = node.pair("strides", (1, 1)), node.pair("dilations", (1, 1))
    groups = node.integer("group", 1)
    if groups < 1:
        raise node.fail(f"expected a group of at least 1, got {groups}")
    bias = _bias(node, weight.shape[0], np.zeros(weight.shape[0], np.float32))
    pads = pads_of(node, kernel, strides, dilations)
    return Conv(node.scope(1), node.tensor(), node.output, weight, bias, strides, pads, dilations, groups)


def gemm(node: NodeReader) -> Draft:
    """Read Gemm with constant weights; alpha and beta are folded into them."""
    weight = node.floats(1, "weight", rank=2)
    if node.integer("transA", 0):
        raise node.fail("transA = 1 is not covered")
    if not node.integer("transB", 0):
        weight = weight.T
    bias = _bias(node, weight.shape[0], np.zeros(weight.shape[0], np.float32))
    weight = np.ascontiguousarray(weight * np.float32(node.number("alpha", 1.0)))
    bias = bias * np.float32(node.number("beta", 1.0))
    return Linear(node.scope(1), node.tensor(), node.output, weight, bias)


def matmul(node: NodeReader) -> Draft:
    """Read MatMul with constant weights on its right."""
    weight = np.ascontiguousarray(node.floats(1, "weight", rank=2).T)
    return Linear(node.scope(1), node.tensor(), node.output, weight, np.zeros(weight.shape[0], np.float32))


def batch_normalization(node: NodeReader) -> Draft:
    """Read BatchNormalization as y = x * scale + offset, computed in float64."""
    if node.integer("training_mode", 0):
        raise node.fail("expected the inference form, got training_mode = 1")
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, mean, variance = (node.floats(i + 1, what, rank=1).astype(np.float64) for i, what in enumerate(names))
    channels = node.shape()[0]
    if any(values.size != channels for values in (gamma, beta, mean, variance)):
        raise node.fail(f"expected {channels} numbers in each of {', '.join(names)}")
    spread = variance + node.number("epsilon", 1e-5)
    if spread.min() <= 0:
        raise node.fail("its variance is negative")
    scale = gamma / np.sqrt(spread)
    return Affine(node.scope(), node.op, node.tensor(), node.output, scale, beta - mean * scale)


def arithmetic(node: NodeReader) -> Draft:
    """Read a sum, difference, product or quotient: of two tensors only a sum, with a constant any that is affine."""
    if not node.is_constant(0) and not node.is_constant(1):
        if node.op != "Add":
            raise node.fail("not covered between two tensors that come from the images")
        return Add(node.scope(), (node.tensor(0), node.tensor(1)), node.output)
    index = 1 if node.is_constant(1) else 0
    if index == 0 and node.op in ("Sub", "Div"):
        raise node.fail("not covered with the constant on the left")
    shape = node.shape(1 - index)
    values = node.floats(index, "constant")
    wanted = (1, shape[0], *([1] * (len(shape) - 1)))
    try:
        channel = np.broadcast_to(values, wanted).reshape(-1).astype(np.float64)
    except ValueError:
        raise node.fail(f"expected a constant that broadcasts to {wanted}, got {values.shape}") from None
    one, zero = np.ones_like(channel), np.zeros_like(channel)
    if node.op == "Div" and not channel.all():
        raise node.fail("its constant holds a zero")
    factor = 1 / channel if node.op == "Div" else channel
    scale, offset = (one, -channel if node.op == "Sub" else channel) if node.op in ("Add", "Sub") else (factor, zero)
    return Affine(node.scope(), node.op, node.tensor(1 - index), node.output, scale, offset)
