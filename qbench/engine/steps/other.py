"""Steps of the nodes that convolutional networks of other kinds than ResNets have, on u8 codes and in float32.

On codes every function of one number is a table; only a product of two tensors computes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbench.engine.code_tables import Table, affine_tables, requantize_table, unary_table
from qbench.engine.container import Container
from qbench.engine.lowering.nodes import code_limits
from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.integer import ELEMENTWISE, Boxes, Layouts
from qbench.graph.nodes import (
    ChannelAffine,
    Clamp,
    Concat,
    DepthToSpace,
    Interpolate,
    Mul,
    Resize,
    Select,
    Unary,
    inputs_of,
)
from qbench.kernels.elementwise.functions import FUNCTIONS
from qbench.kernels.elementwise.reference import neighbours
from qbench.kernels.tasks import Task, task_of

SPREAD = "qbench.kernels.elementwise.spread"
CHANNELS, FLOATS = "qbench.kernels.elementwise.channels", "qbench.kernels.elementwise.floats"
OTHER = (Mul, Concat, Select, ChannelAffine, Unary, Resize)
Other = Mul | Concat | Select | ChannelAffine | Unary | Resize | Interpolate | DepthToSpace
UNBOUNDED = Clamp(-np.inf, np.inf)


def integer_step(node: Other, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return the step of a node on codes."""
    out = boxes[node.output]
    if isinstance(node, Mul):
        kernel, more = _product(node, boxes, layouts)
    elif isinstance(node, Concat):
        tables = np.stack([requantize_table(boxes[tensor], out) for tensor in node.inputs])
        kernel, more = f"{CHANNELS}:concat_u8_u8", (_widths(node, layouts), tables)
    elif isinstance(node, Select):
        channels = np.asarray(node.channels, np.int64)
        kernel, more = f"{CHANNELS}:select_u8_u8", (channels, _select_table(node, boxes[node.input], out))
    elif isinstance(node, ChannelAffine):
        kernel, more = f"{CHANNELS}:channel_tables_u8_u8", (affine_tables(node, boxes[node.input], out),)
    elif isinstance(node, Unary):
        kernel, more = f"{ELEMENTWISE}:table_u8_u8", (unary_table(node, boxes[node.input], out),)
    elif isinstance(node, Resize):
        kernel, more = f"{CHANNELS}:resize_u8_u8", (node.factors, requantize_table(boxes[node.input], out))
    elif isinstance(node, DepthToSpace):
        kernel, more = f"{SPREAD}:depth_to_space_u8_u8", (node.block, requantize_table(boxes[node.input], out))
    else:
        kernel, more = f"{SPREAD}:interpolate_u8_u8", (*_places(node, layouts), *_rescaling(boxes[node.input], out))
    return _step(node, layouts, operations, kernel, more)


def float_step(node: Other, layouts: Layouts, operations: int) -> Step:
    """Return the step of a node in float32."""
    more: tuple[object, ...]
    if isinstance(node, Mul):
        kernel, more = "mul_f32_f32_f32", (_limits(node.activation), _is_gate(node, layouts))
    elif isinstance(node, Concat):
        kernel, more = "concat_f32_f32", (_widths(node, layouts),)
    elif isinstance(node, Select):
        kernel, more = "select_f32_f32", (np.asarray(node.channels, np.int64),)
    elif isinstance(node, ChannelAffine):
        kernel, more = "affine_f32_f32", (node.scale, node.offset, _limits(node.activation))
    elif isinstance(node, Unary):
        first, second = (*node.parameters, 0.0, 0.0)[:2]
        parameters = (np.float32(first), np.float32(second))
        kernel, more = "unary_f32_f32", (FUNCTIONS.index(node.function), parameters)
    elif isinstance(node, Resize):
        kernel, more = "resize_f32_f32", (node.factors,)
    elif isinstance(node, DepthToSpace):
        return _step(node, layouts, operations, f"{SPREAD}:depth_to_space_f32_f32", (node.block,))
    else:
        return _step(node, layouts, operations, f"{SPREAD}:interpolate_f32_f32", _places(node, layouts))
    return _step(node, layouts, operations, f"{FLOATS}:{kernel}", more)


def _places(node: Interpolate, layouts: Layouts) -> tuple[object, ...]:
    """Return between which rows, and which columns, of the input those of the output lie, and how near the second."""
    a = layouts[node.input]
    return tuple(
        neighbours(old, new, node.coordinates) for old, new in zip((a.height, a.width), node.size, strict=True)
    )


def _rescaling(source: Container, out: Container) -> tuple[object, ...]:
    """Return (ratio, offset, high) from one container's codes to another's, and how to round."""
    ratio = source.scale / out.scale
    numbers = ratio, out.round_offset - source.zero_point * ratio, out.high
    return tuple(np.float32(number) for number in numbers), out.floor


def _step(node: Other, layouts: Layouts, operations: int, kernel: str, more: tuple[object, ...]) -> Step:
    out, tensors = layouts[node.output], (*inputs_of(node), node.output)
    corners = tuple(layouts[tensor].border[:2] for tensor in tensors)
    by_channels = isinstance(node, Concat | Select)  # their channels differ between input and output
    size = (out.height, out.width) if by_channels else (out.height, out.width, out.channels)
    kind = np.uint8 if out.item_bytes == 1 else np.float32

    def join(buffers: Buffers) -> Task:
        arrays = tuple(buffers[tensor].view(kind).reshape(layouts[tensor].shape) for tensor in tensors)
        given = (arrays[:-1], arrays[-1]) if isinstance(node, Concat) else arrays
        return task_of(kernel, (*given, size, corners, *more), units=out.height)

    name = f"{kernel.split(':')[1]}/portable"
    return Step(node.name, name, operations, inputs_of(node), node.output, join, kind is np.uint8)


def _product(node: Mul, boxes: Mapping[str, Container], layouts: Layouts) -> tuple[str, tuple[object, ...]]:
    a, b, out = (boxes[tensor] for tensor in (*node.inputs, node.output))
    numbers = (a.zero_point, b.zero_point, a.scale * b.scale / out.scale, out.round_offset)
    low, high = code_limits(node.activation, out)
    more = (
        tuple(np.float32(v) for v in numbers),
        (np.float32(low), np.float32(high)),
        _is_gate(node, layouts),
        out.floor,
    )
    return f"{CHANNELS}:mul_u8_u8_u8", more


def _select_table(node: Select, source: Container, target: Container) -> Table:
    """Return what each code becomes, and after those, where the node puts in zeros, the code of zero."""
    table = requantize_table(source, target)
    return np.append(table, np.uint8(target.pad_code)) if min(node.channels) < 0 else table


def _is_gate(node: Mul, layouts: Layouts) -> bool:
    a, b = (layouts[tensor] for tensor in node.inputs)
    return (b.height, b.width) == (1, 1) != (a.height, a.width)


def _widths(node: Concat, layouts: Layouts) -> tuple[int, ...]:
    return tuple(layouts[tensor].channels for tensor in node.inputs)


def _limits(clamp: Clamp | None) -> tuple[np.float32, np.float32]:
    bounds = clamp or UNBOUNDED
    return np.float32(bounds.low), np.float32(bounds.high)
