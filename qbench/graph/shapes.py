"""The shape that a node writes, from the shape that it reads; a shape that does not fit is a ModelError."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qbench.graph.nodes import (
    MOST_ELEMENTS,
    Add,
    Attention,
    Concat,
    Conv,
    DepthToSpace,
    Flatten,
    Interpolate,
    Linear,
    Mul,
    Pads,
    Pair,
    Pool,
    Recurrent,
    Resize,
    Select,
    Shape,
    TokenMean,
)
from qbench.graph.onnx.draft import Draft, ZeroPad, uncovered
from qbench.graph.row_nodes import GATES, STATES


def window_count(size: int, *, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return how many windows fit into `size` numbers and `padding` more; less than 1 when none does."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def same_pads(size: Pair, *, kernel: Pair, strides: Pair, dilations: Pair, upper: bool) -> Pads:
    """Return the padding that ONNX calls SAME_UPPER (the odd one below and right) or SAME_LOWER."""
    begins, ends = [], []
    for length, width, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + dilation * (width - 1) + 1 - length)
        begins.append(total // 2 if upper else total - total // 2)
        ends.append(total - begins[-1])
    return (begins[0], begins[1], ends[0], ends[1])


def _windows(
    name: str, op: str, shape: Shape, *, kernel: Pair, strides: Pair, pads: Pads, dilations: Pair = (1, 1)
) -> Pair:
    if len(shape) != 3:
        raise uncovered(name, op, f"expected images (batch, c, h, w), got {_with_batch(shape)}")
    top, left, bottom, right = pads
    if min(*strides, *kernel, *dilations) < 1 or min(pads) < 0:
        raise uncovered(name, op, f"expected positive kernel, strides and dilations and pads of at least 0, got {pads}")
    height = window_count(shape[1], kernel=kernel[0], stride=strides[0], padding=top + bottom, dilation=dilations[0])
    width = window_count(shape[2], kernel=kernel[1], stride=strides[1], padding=left + right, dilation=dilations[1])
    if height < 1 or width < 1:
        raise uncovered(name, op, f"its {kernel[0]}x{kernel[1]} window does not fit into {_with_batch(shape)}")
    return height, width


def _with_batch(shape: Shape) -> str:
    return f"(batch, {', '.join(map(str, shape))})"


def _conv_shape(node: Conv, shape: Shape) -> Shape:
    channels_out, channels_in, *kernel = node.weight.shape
    size = _windows(
        node.name, "Conv", shape, kernel=(kernel[0], kernel[1]), strides=node.strides, pads=node.pads,
        dilations=node.dilations,
    )  # fmt: skip
    if channels_in * node.groups != shape[0] or channels_out % node.groups:
        message = f"weight {node.weight.shape} in {node.groups} group(s) does not fit {shape[0]} channels"
        raise uncovered(node.name, "Conv", message)
    return (channels_out, *size)


def shape_after(node: Draft, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a node's output.

    Args:
        node: the node.
        shapes: of its inputs, without the batch.

    Raises:
        ModelError: when the shapes do not fit the node.
    """
    shape = shapes[0]
    match node:
        case Conv():
            return _bounded(node.name, "Conv", _conv_shape(node, shape))
        case Linear() if shape[-1:] != node.weight.shape[1:]:
            expected, got = _with_batch(node.weight.shape[1:]), _with_batch(shape)
            raise uncovered(node.name, "Gemm", f"expected {expected}, got {got}")
        case Linear():
            return (*shape[:-1], node.weight.shape[0])
        case Pool():
            size = _windows(node.name, "Pool", shape, kernel=node.kernel, strides=node.strides, pads=node.pads)
            return (shape[0], *size)
        case Flatten():
            return (math.prod(shape),)
        case ZeroPad() | Resize():
            return _grown(node, shape)
        case Interpolate():
            return _bounded(node.name, "Resize", (shape[0], *node.size))
        case DepthToSpace():
            return _spread(node, shape)
        case Concat():
            return _joined(node, shapes)
        case Select():
            return _replaced(shape, len(node.channels))
        case TokenMean():
            return shape[1:]
        case Attention():
            return (*shape[:-1], shapes[2][-1])
        case Recurrent():
            return (*_tokens_of(node, shapes), node.weight.shape[1])
        case Add() | Mul() if shapes[1] != shape and (isinstance(node, Add) or shapes[1] != (*shape[:1], 1, 1)):
            raise uncovered(node.name, type(node).__name__, f"expected one shape, got {shape} and {shapes[1]}")
        case _:
            return shape


def shapes_after(node: Draft, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """Return the shapes of all that a node writes; see `shape_after`."""
    shape = shape_after(node, shapes)
    return (shape, shape, *[(1, shape[-1])] * len(node.last)) if isinstance(node, Recurrent) else (shape,)


def _tokens_of(node: Recurrent, shapes: Sequence[Shape]) -> Shape:
    """Return the tokens that a recurrence goes through, its gates and states being of the sizes that they must have."""
    gates, *states = shapes
    rows, depth = node.weight.shape if node.weight.ndim == 2 else (0, 0)
    if not depth or len(gates) != 2 or gates[1] != rows or rows != GATES[node.cell] * depth:
        raise uncovered(node.name, node.cell, f"expected {GATES[node.cell]} gates of {depth} a token, got {gates}")
    counts = {len(node.first), len(node.last)}
    if counts != {STATES[node.cell]} or any(state not in ((depth,), (1, depth)) for state in states):
        raise uncovered(node.name, node.cell, f"expected states of {depth} numbers, got {states}")
    return gates[:1]


def _grown(node: ZeroPad | Resize, shape: Shape) -> Shape:
    channels, height, width = shape
    if isinstance(node, Resize):
        return _bounded(node.name, "Resize", (channels, height * node.factors[0], width * node.factors[1]))
    top, left, bottom, right = node.pads
    return _bounded(node.name, "Pad", (channels, height + top + bottom, width + left + right))


def _spread(node: DepthToSpace, shape: Shape) -> Shape:
    channels, height, width = shape
    if node.block < 1 or channels % node.block**2:
        raise uncovered(node.name, "DepthToSpace", f"{channels} channels are no blocks of {node.block} x {node.block}")
    return (channels // node.block**2, height * node.block, width * node.block)


def _replaced(shape: Shape, channels: int) -> Shape:
    return (channels, *shape[1:]) if len(shape) == 3 else (*shape[:-1], channels)


def _joined(node: Concat, shapes: Sequence[Shape]) -> Shape:
    axis = 0 if len(shapes[0]) == 3 else -1
    joined = _replaced(shapes[0], sum(shape[axis] for shape in shapes))
    if any(_replaced(shape, joined[axis]) != joined for shape in shapes):
        raise uncovered(node.name, "Concat", f"expected shapes that differ only in channels, got {list(shapes)}")
    return joined


def _bounded(name: str, op: str, shape: Shape) -> Shape:
    if math.prod(shape) > MOST_ELEMENTS:
        raise uncovered(name, op, f"expected at most {MOST_ELEMENTS} numbers per image, got {_with_batch(shape)}")
    return shape
