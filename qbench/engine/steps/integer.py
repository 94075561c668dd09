"""The integer steps that have no weights: addition, clamp, pooling, flattening, all on u8 codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.graph.network import Activation, Add, Clamp, Flatten, Pool
from qbench.kernels.layout import CHANNEL_MULTIPLE, Layout
from qbench.kernels.pool.blocks import BLOCK
from qbench.kernels.product import Product
from qbench.kernels.tasks import Task, task_of

Boxes = Mapping[str, Container]
Layouts = Mapping[str, Layout]
ELEMENTWISE, POOL = "qbench.kernels.elementwise.portable", "qbench.kernels.pool.portable"
PACK = "qbench.kernels.pack.portable"


def pack_kernel(product: Product) -> tuple[str, tuple[int, ...]]:
    """Return what packs u8 codes to the words that a product of bits reads, and what it takes besides."""
    if product.lhs_planes:
        return "pack_u8_planes", (product.lhs_planes,)
    return f"pack_u8_{product.lhs}", ()


def code_limits(clamp: Clamp | None, out: Container) -> tuple[np.float32, np.float32]:
    """Return the lowest and highest code that a clamp leaves in a container."""
    low, high = (clamp.low, clamp.high) if clamp else (-np.inf, np.inf)
    codes = (np.float32(out.zero_point) + np.float32(v) * np.float32(out.inverse_scale) for v in (low, high))
    first, last = (np.float32(np.clip(np.rint(v), 0, out.high)) for v in codes)
    return first, last


def add_step(node: Add, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return the rescaling addition."""
    out = boxes[node.output]
    scales = [boxes[tensor].scale / out.scale for tensor in node.inputs]
    offset = out.round_offset - sum(s * boxes[t].zero_point for s, t in zip(scales, node.inputs, strict=True))
    numbers = (np.float32(scales[0]), np.float32(scales[1]), np.float32(offset))
    limits = code_limits(node.activation, out)
    layout = layouts[node.output]
    size = (layout.height, layout.width, layout.channels)
    tensors = (*node.inputs, node.output)
    corners = tuple(layouts[tensor].border[:2] for tensor in tensors)

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[tensor].reshape(layouts[tensor].shape) for tensor in tensors)
        arguments = (*arrays, size, corners, numbers, limits, out.floor)
        return task_of(f"{ELEMENTWISE}:add_u8_u8_u8", arguments, units=layout.height)

    return Step(node.name, "add_u8_u8_u8/portable", operations, node.inputs, node.output, join, True)


def clamp_step(node: Activation, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return the clamp and rescale as a table of 256 codes."""
    source, out = boxes[node.input], boxes[node.output]
    reals = (np.arange(256) - source.zero_point) * source.scale
    t = np.clip(reals, node.clamp.low, node.clamp.high) / out.scale + out.round_offset
    table = np.clip(np.floor(t) if out.floor else np.rint(t), 0, out.high).astype(np.uint8)
    layout = layouts[node.output]
    size = (layout.height, layout.width, layout.channels)
    corners = (layouts[node.input].border[:2], layout.border[:2])

    def join(buffers: Buffers) -> Task:
        arrays = (buffers[tensor].reshape(layouts[tensor].shape) for tensor in (node.input, node.output))
        return task_of(f"{ELEMENTWISE}:table_u8_u8", (*arrays, size, corners, table), units=layout.height)

    return Step(node.name, "table_u8_u8/portable", operations, (node.input,), node.output, join, True)


def pool_step(node: Pool, boxes: Boxes, layouts: Layouts, operations: int) -> Step:
    """Return a pooling step; the mean is rescaled to the output's codes in one rounding."""
    source, out = boxes[node.input], boxes[node.output]
    a, b = layouts[node.input], layouts[node.output]
    ratio = source.scale / out.scale
    offset = np.float32(out.round_offset - source.zero_point * ratio)
    limits = (np.float32(0), np.float32(out.high))
    if node.kind == "global_average":
        numbers = (np.float32(ratio / (a.height * a.width)), offset, limits[1])
        size, corner = (a.height, a.width, a.channels), a.border[:2]

        def join_mean(buffers: Buffers) -> Task:
            x, y = (buffers[t].reshape(layouts[t].shape) for t in (node.input, node.output))
            sums = np.empty((a.images, a.channels), np.int32)
            arguments = (x, y, sums, size, corner, numbers, out.floor)
            return task_of(f"{POOL}:global_average_u8_u8", arguments, units=-(-a.channels // BLOCK))

        return Step(node.name, "global_average_u8_u8/portable", operations, (node.input,), node.output, join_mean, True)
    sizes = ((a.height, a.width), (b.height, b.width), a.channels)
    corners, window = (a.border[:2], b.border[:2]), (node.kernel, node.strides, node.pads[:2])
    keeps_codes = node.kind == "max" and (source.scale, source.zero_point) == (out.scale, out.zero_point)
    in_vectors = node.kind == "max" and min(a.words, b.words) >= CHANNEL_MULTIPLE
    more: tuple[object, ...] = ()
    name = "max_u8_u8"
    if in_vectors and not (keeps_codes and source.high <= out.high):
        name, more = "max_rescaled_u8_u8", ((np.float32(ratio), offset), limits, out.floor)
    elif not in_vectors:
        numbers = (np.float32(source.zero_point), np.float32(ratio), offset)
        name, more = "pool_u8_u8", (node.kind == "max", node.count_include_pad, numbers, limits, out.floor)

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
