"""Operators without weights or windows: clamps, flattening, and those that do nothing."""

from __future__ import annotations

import math

from qbench.graph.nodes import Activation, Clamp, Flatten
from qbench.graph.onnx.draft import Alias, Draft, UntypedError
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.tensor_type import FLOAT


def relu(node: NodeReader) -> Draft:
    """Read Relu."""
    return Activation(node.scope(), node.tensor(), node.output, Clamp(0.0, math.inf))


def clip(node: NodeReader) -> Draft:
    """Read Clip with constant bounds."""
    if node.opset < 11:
        low, high = node.number("min", -math.inf), node.number("max", math.inf)
    else:
        low, high = node.scalar(1, "min", -math.inf), node.scalar(2, "max", math.inf)
    if math.isnan(low) or math.isnan(high):
        raise node.fail(f"expected numbers as min and max, got {low} and {high}")
    low = min(low, high)  # ONNX: where min is above max, all become max
    return Activation(node.scope(), node.tensor(), node.output, Clamp(low, high))


def bound(node: NodeReader) -> Draft:
    """Read Min or Max of a tensor and one constant number."""
    if len(node.proto.input) != 2 or not (node.is_constant(0) or node.is_constant(1)):
        raise UntypedError("of two tensors or more")
    index = 1 if node.is_constant(1) else 0
    if node.array(index, "bound").size != 1 or node.array(index, "bound").ndim > len(node.shape(1 - index)) + 1:
        raise UntypedError("its bound is no single number")
    value = node.scalar(index, "bound", 0.0)
    clamp = Clamp(-math.inf, value) if node.op == "Min" else Clamp(value, math.inf)
    return Activation(node.scope(), node.tensor(1 - index), node.output, clamp)


def flatten(node: NodeReader) -> Draft:
    """Read what turns (batch, c, h, w) into (batch, c * h * w), or changes nothing, whatever it is called."""
    source, target = node.shape(), node.written()
    if source == target and min(source, default=1) > 0:
        return Alias(node.scope(), node.tensor(), node.output)
    if target != (math.prod(source),) or min(source) < 1 or len(source) != 3:
        raise UntypedError(f"changes {source} to {target}")
    return Flatten(node.scope(), node.tensor(), node.output)


def transpose(node: NodeReader) -> Draft:
    """Read the Transpose that changes nothing, as it only moves sizes of 1, or flattens nothing."""
    order = node.several("perm")
    rank = len(node.shape()) + 1
    if order is None or sorted(order) != list(range(rank)) or order[0] != 0:
        raise UntypedError(f"reorders axes {order}")
    moving = [axis for axis in order if axis == 0 or node.shape()[axis - 1] != 1]
    if moving != sorted(moving) or node.written() != node.shape():
        raise UntypedError(f"reorders axes {order}")
    return Alias(node.scope(), node.tensor(), node.output)


def cast(node: NodeReader) -> Draft:
    """Read the Cast from float32 to float32."""
    if node.integer("to", FLOAT) != FLOAT:
        raise UntypedError("to another type")
    return Alias(node.scope(), node.tensor(), node.output)


def alias(node: NodeReader) -> Draft:
    """Read an operator that changes nothing at inference: Identity, Dropout."""
    if node.op == "Dropout" and node.has(2) and not (node.is_constant(2) and not node.array(2, "mode").any()):
        raise UntypedError("in training mode")
    if len(node.outputs) > 1:
        raise UntypedError("its mask is read") if node.op != "Dropout" else UntypedError("it has a mask")
    return Alias(node.scope(), node.tensor(), node.output)
