"""Operators that put channels side by side, or pick some of them."""

from __future__ import annotations

import numpy as np

from qbench.graph.nodes import Concat, Select, Shape
from qbench.graph.onnx.draft import Draft, UntypedError
from qbench.graph.onnx.node_reader import NodeReader


def channel_axis(shape: Shape) -> int:
    """Return the axis of the channels in a shape without batch: the first of images, the last of all else."""
    return 0 if len(shape) == 3 else len(shape) - 1


def _check_axis(node: NodeReader, axis: int) -> int:
    """Return the number of channels; raise UntypedError where the axis (the batch is 0) is another."""
    shape = node.shape()
    if not shape or axis != channel_axis(shape) + 1 or shape[axis - 1] < 1:
        raise UntypedError(f"along axis {axis} of (batch, {shape}), which are not its channels")
    return shape[axis - 1]


def concat(node: NodeReader) -> Draft:
    """Read Concat along the channels."""
    _check_axis(node, node.axis(1, rank=len(node.shape()) + 1))
    inputs = tuple(node.tensor(index) for index in range(len(node.proto.input)))
    return Concat(node.scope(), inputs, node.output)


def split(node: NodeReader) -> tuple[Draft, ...]:
    """Read Split along the channels: a Select for each part."""
    axis = node.axis(0, rank=len(node.shape()) + 1)
    count = _check_axis(node, axis)
    sizes = [node.written(index)[axis - 1] for index in range(len(node.outputs))]
    if sum(sizes) != count or min(sizes) < 1 or len(node.outputs) != len(node.proto.output):
        raise UntypedError(f"splits {count} channels into {sizes}")
    starts = np.cumsum([0, *sizes])
    return tuple(
        Select(node.scope(), node.tensor(), output, tuple(range(int(start), int(start) + size)))
        for output, start, size in zip(node.outputs, starts, sizes, strict=False)
    )


def slices(node: NodeReader) -> Draft:
    """Read Slice along the channels."""
    if node.opset < 10:
        starts, ends, axes = (node.several(name) for name in ("starts", "ends", "axes"))
        steps: tuple[int, ...] | None = None
    else:
        starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
        axes = node.integers(3, "axes") if node.has(3) else None
        steps = node.integers(4, "steps") if node.has(4) else None
    if starts is None or ends is None or len(starts) != 1 or len(ends) != 1:
        raise UntypedError("of several axes")
    axis = (axes[0] if axes else 0) % (len(node.shape()) + 1)
    count = _check_axis(node, axis)
    channels = tuple(range(count)[starts[0] : ends[0] : steps[0] if steps else 1])
    if not channels:
        raise UntypedError("nothing is left")
    return Select(node.scope(), node.tensor(), node.output, channels)


def gather(node: NodeReader) -> Draft:
    """Read Gather of constant channels."""
    axis = node.axis(0, rank=len(node.shape()) + 1)
    count = _check_axis(node, axis)
    indices = node.integers(1, "indices")
    if node.array(1, "indices").ndim != 1 or not indices:
        raise UntypedError("takes an axis away")
    if not all(-count <= index < count for index in indices):
        raise node.fail(f"expected indices in {-count}..{count - 1}")
    return Select(node.scope(), node.tensor(), node.output, tuple(index % count for index in indices))
