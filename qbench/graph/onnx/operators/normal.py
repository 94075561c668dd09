"""Softmax, and normalization: of all channels of a position, or of groups of an image's channels."""

from __future__ import annotations

import numpy as np

from qbench.graph.nodes import ImageNorm, LayerNorm, Softmax
from qbench.graph.onnx.draft import Draft, UntypedError
from qbench.graph.onnx.node_reader import NodeReader


def softmax(node: NodeReader) -> Draft:
    """Read Softmax over the last axis; before operator set 13 it ran over all axes from its own on."""
    shape = node.shape()
    axis = node.axis(1 if node.opset < 13 else -1, rank=len(shape) + 1)
    if axis != len(shape) or len(shape) > 2:
        raise UntypedError(f"over axis {axis} of (batch, {shape}), not over the channels of (tokens, c) or (k,)")
    return Softmax(node.scope(), node.tensor(), node.output)


def layer_normalization(node: NodeReader) -> Draft:
    """Read LayerNormalization over the last axis."""
    shape = node.shape()
    if node.axis(-1, rank=len(shape) + 1) != len(shape) or len(node.outputs) > 1 or not 1 <= len(shape) <= 2:
        raise UntypedError("not over the channels of (tokens, c) or (k,), or with a second output")
    scale = node.floats(1, "scale").reshape(-1)
    offset = node.floats(2, "bias").reshape(-1) if node.has(2) else np.zeros_like(scale)
    if scale.size != shape[-1] or offset.size != shape[-1]:
        raise UntypedError(f"expected {shape[-1]} numbers as scale and bias, got {scale.size} and {offset.size}")
    return LayerNorm(node.scope(1), node.tensor(), node.output, scale, offset, node.number("epsilon", 1e-5))


def instance_normalization(node: NodeReader) -> Draft:
    """Read InstanceNormalization of images: every channel is a group."""
    return _of_groups(node, node.image()[0])


def group_normalization(node: NodeReader) -> Draft:
    """Read GroupNormalization of images, as operator set 21 has it: onnx refuses the one before."""
    channels = node.image()[0]
    groups = node.integer("num_groups", 0)
    if groups < 1 or channels % groups:
        raise node.fail(f"expected channels in groups, got {channels} channels and {groups} groups")
    return _of_groups(node, groups)


def _of_groups(node: NodeReader, groups: int) -> Draft:
    channels = node.image()[0]
    scale, offset = node.floats(1, "scale").reshape(-1), node.floats(2, "bias").reshape(-1)
    if scale.size != channels or offset.size != channels:
        raise UntypedError(f"expected {channels} numbers as scale and bias, got {scale.size} and {offset.size}")
    return ImageNorm(node.scope(1), node.tensor(), node.output, scale, offset, node.number("epsilon", 1e-5), groups)
