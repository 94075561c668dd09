"""The integer steps that have no weights: addition, clamp, pooling, flattening, all on u8 codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbench.engine.container import Container
from qbench.engine.lowering.nodes import lower_add, lower_clamp, lower_pool
from qbench.engine.plans.plan import Buffers, Step
from qbench.graph.network import Activation, Add, Flatten, Pool
from qbench.kernels.layout import CHANNEL_MULTIPLE, Layout
from qbench.kernels.pool.blocks import BLOCK
from qbench.kernels.tasks import Task, task_of

Boxes = Mapping[str, Container]
Layouts = Mapping[str, Layout]
ELEMENTWISE, POOL = "qbench.kernels.elementwise.portable", "qbench.kernels.pool.portable"


def add_step(node: Add, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return the rescaling addition."""
    lowered = lower_add(node, boxes)
    numbers = tuple(np.float32(number) for number in (*lowered.scales, lowered.offset))
    limits = np.float32(lowered.low), np.float32(lowered.high)
    layout = layouts[node.output]
    size = (layout.height, layout.width, layout.channels)
    tensors = (*node.inputs, node.output)
    corners = tuple(layouts[tensor].border[:2] for tensor in tensors)

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[tensor].reshape(layouts[tensor].shape) for tensor in tensors)
        arguments = (*arrays, size, corners, numbers, limits, lowered.floor)
        return task_of(f"{ELEMENTWISE}:add_u8_u8_u8", arguments, units=layout.height)

    return Step(node.name, "add_u8_u8_u8/portable", operations, node.inputs, node.output, join, True)


def clamp_step(node: Activation, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return the clamp and rescale as a table of 256 codes."""
    table = lower_clamp(node, boxes)
    layout = layouts[node.output]
    size = (layout.height, layout.width, layout.channels)
    corners = (layouts[node.input].border[:2], layout.border[:2])

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[tensor].reshape(layouts[tensor].shape) for tensor in (node.input, node.output))
        return task_of(f"{ELEMENTWISE}:table_u8_u8", (*arrays, size, corners, table), units=layout.height)

    return Step(node.name, "table_u8_u8/portable", operations, (node.input,), node.output, join, True)


def pool_step(node: Pool, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return a pooling step; the mean is rescaled to the output's codes in one rounding."""
    lowered, zero = lower_pool(node, boxes), boxes[node.input].zero_point
    a, b = layouts[node.input], layouts[node.output]
    ratio, offset = np.float32(lowered.ratio), np.float32(lowered.offset)
    limits = (np.float32(0), np.float32(lowered.high))
    if node.kind == "global_average":
        numbers = (np.float32(lowered.mean_of(a.height * a.width)), offset, limits[1])
        size, corner = (a.height, a.width, a.channels), a.border[:2]

        def join_mean(buffers: Buffers) -> Task:
            x, y = (buffers[t].reshape(layouts[t].shape) for t in (node.input, node.output))
            sums = np.empty((a.images, a.channels), np.int32)
            arguments = (x, y, sums, size, corner, numbers, lowered.floor)
            return task_of(f"{POOL}:global_average_u8_u8", arguments, units=-(-a.channels // BLOCK))

        return Step(node.name, "global_average_u8_u8/portable", operations, (node.input,), node.output, join_mean, True)
    sizes = ((a.height, a.width), (b.height, b.width), a.channels)
    corners, window = (a.border[:2], b.border[:2]), (node.kernel, node.strides, node.pads[:2])
    in_vectors = node.kind == "max" and min(a.words, b.words) >= CHANNEL_MULTIPLE
    more: tuple[object, ...] = ()
    name = "max_u8_u8"
    if in_vectors and not lowered.keeps_codes:
        name, more = "max_rescaled_u8_u8", ((ratio, offset), limits, lowered.floor)
    elif not in_vectors:
        numbers = (np.float32(zero), ratio, offset)
        name, more = "pool_u8_u8", (node.kind == "max", node.count_include_pad, numbers, limits, lowered.floor)

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[t].reshape(layouts[t].shape) for t in (node.input, node.output))
        return task_of(f"{POOL}:{name}", (*arrays, sizes, corners, window, *more), units=b.height)

    return Step(node.name, f"{name}/portable", operations, (node.input,), node.output, join, True)


def flatten_step(node: Flatten, layouts: Layouts) -> Step:
    """Return the reordering from NHWC to ONNX's channel-slowest vector."""
    a, b = layouts[node.input], layouts[node.output]
    size, corner = (a.height, a.width, a.channels), a.border[:2]
    kind = {1: np.uint8, 4: np.float32}

    def join(buffers: Buffers) -> Task:
        x = buffers[node.input].view(kind[a.item_bytes]).reshape(a.shape)
        y = buffers[node.output].view(kind[b.item_bytes]).reshape(b.shape)
        return task_of(f"{ELEMENTWISE}:flatten", (x, y, size, corner), units=a.height)

    return Step(node.name, "flatten/portable", 0, (node.input,), node.output, join, a.item_bytes == 1)
