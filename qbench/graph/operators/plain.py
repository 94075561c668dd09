"""Operators without weights or windows: clamps, flattening, and those that do nothing."""

from __future__ import annotations

import math

from qbench.graph.draft import Alias, Draft
from qbench.graph.network import Activation, Clamp, Flatten, Shape
from qbench.graph.node_reader import NodeReader


def relu(node: NodeReader) -> Draft:
    """Read Relu."""
    return Activation(node.scope(), node.tensor(), node.output, Clamp(0.0, math.inf))


def clip(node: NodeReader) -> Draft:
    """Read Clip with constant bounds."""
    if node.opset < 11:
        low, high = node.number("min", -math.inf), node.number("max", math.inf)
    else:
        low, high = node.scalar(1, "min", -math.inf), node.scalar(2, "max", math.inf)
    if not low <= high:
        raise node.fail(f"expected min <= max, got {low} and {high}")
    return Activation(node.scope(), node.tensor(), node.output, Clamp(low, high))


def flatten(node: NodeReader) -> Draft:
    """Read Flatten, Reshape or Squeeze: what turns (batch, c, h, w) into (batch, c * h * w), or changes nothing."""
    sizes = (node.batch, *node.shape())
    target = {"Flatten": _flattened, "Reshape": _reshaped, "Squeeze": _squeezed}[node.op](node, sizes)
    if target == sizes:
        return Alias(node.scope(), node.tensor(), node.output)
    if target != (node.batch, math.prod(sizes[1:])):
        raise node.fail(f"only flattening (batch, c, h, w) to (batch, {math.prod(sizes[1:])}) is covered")
    return Flatten(node.scope(), node.tensor(), node.output)


def _flattened(node: NodeReader, sizes: Shape) -> Shape:
    axis = node.integer("axis", 1)
    if not -len(sizes) <= axis <= len(sizes):
        raise node.fail(f"expected an axis in {-len(sizes)}..{len(sizes)}, got {axis}")
    axis += len(sizes) if axis < 0 else 0
    return (math.prod(sizes[:axis]), math.prod(sizes[axis:]))


def _reshaped(node: NodeReader, sizes: Shape) -> Shape:
    wanted = list(node.integers(1, "shape"))
    if not node.integer("allowzero", 0):
        wanted = [sizes[i] if size == 0 and i < len(sizes) else size for i, size in enumerate(wanted)]
    if -1 in wanted:
        known = -math.prod(wanted)
        wanted[wanted.index(-1)] = math.prod(sizes) // known if known > 0 else 0
    return tuple(wanted)


def _squeezed(node: NodeReader, sizes: Shape) -> Shape:
    axes = node.several("axes") if node.opset < 13 else (node.integers(1, "axes") if node.has(1) else None)
    ones = {axis for axis, size in enumerate(sizes) if size == 1}
    dropped = ones if axes is None else {axis % len(sizes) for axis in axes}
    if not dropped <= ones:
        raise node.fail(f"expected axes of length 1, got {axes} of {sizes[1:]}")
    return tuple(size for axis, size in enumerate(sizes) if axis not in dropped)


def alias(node: NodeReader) -> Draft:
    """Read an operator that changes nothing at inference: Identity, Dropout."""
    return Alias(node.scope(), node.tensor(), node.output)
