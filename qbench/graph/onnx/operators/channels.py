"""Operators that put channels side by side, or pick some of them."""

from __future__ import annotations

import numpy as np

from qbench.graph.nodes import Concat, DepthToSpace, Pool, Select, Shape
from qbench.graph.onnx.draft import Alias, Draft, UntypedError
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


def depth_to_space(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read DepthToSpace; where the blocks' places come before the channels (mode DCR), behind a Select."""
    channels, _, _ = node.image()
    block, mode = node.integer("blocksize", 0), node.word("mode", "DCR")
    if block < 1 or channels % block**2:
        raise node.fail(f"expected channels in blocks of {block} x {block}, got {channels}")
    source = node.tensor()
    if mode == "CRD":
        return DepthToSpace(node.scope(), source, node.output, block)
    order = np.arange(channels).reshape(block**2, -1).T.reshape(-1)
    turned = f"{node.output}:blocks"
    return (
        Select(node.scope(), source, turned, tuple(order.tolist())),
        DepthToSpace(node.scope(), turned, node.output, block),
    )


def slices(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read Slice along the channels, and over an image every k-th row and column from the first on."""
    shape, taken = node.shape(), _taken(node)
    moved = [axis for axis, range_ in taken.items() if range_ != range(shape[axis])]
    if not moved:
        return Alias(node.scope(), node.tensor(), node.output)
    channels = channel_axis(shape)
    drafts: list[Draft] = []
    source = node.tensor()
    if len(shape) == 3 and {1, 2}.intersection(moved):
        strides = tuple(_stride(shape[axis], taken.get(axis)) for axis in (1, 2))
        strided = node.output if channels not in moved else f"{node.output}:strided"
        drafts.append(Pool(node.scope(), "max", source, strided, (1, 1), (strides[0], strides[1])))
        source = strided
    elif moved != [channels]:
        raise UntypedError(f"along axes {[axis + 1 for axis in moved]} of (batch, {shape}), which are not its channels")
    if channels in moved:
        drafts.append(Select(node.scope(), source, node.output, tuple(taken[channels])))
    return tuple(drafts)


def _taken(node: NodeReader) -> dict[int, range]:
    """Return what a Slice takes of each axis that it names, the axes counted without the batch."""
    shape = node.shape()
    if node.opset < 10:
        starts, ends, axes = (node.several(name) for name in ("starts", "ends", "axes"))
        steps: tuple[int, ...] | None = None
    else:
        starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
        axes = node.integers(3, "axes") if node.has(3) else None
        steps = node.integers(4, "steps") if node.has(4) else None
    starts, ends = starts or (), ends or ()
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = steps or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.fail(f"expected as many starts as ends, axes and steps, got {starts}, {ends}, {axes}, {steps}")
    taken: dict[int, range] = {}
    for start, end, named, step in zip(starts, ends, axes, steps, strict=True):
        axis = named % (len(shape) + 1) - 1
        if axis < 0 and (start, step) == (0, 1) and end >= 2**31 - 1:
            continue  # all images
        if axis < 0 or shape[axis] < 1:
            raise UntypedError(f"along axis {axis + 1} of (batch, {shape})")
        taken[axis] = range(shape[axis])[start:end:step]
        if not taken[axis]:
            raise UntypedError("nothing is left")
    return taken


def _stride(size: int, taken: range | None) -> int:
    """Return the stride of windows of one pixel that take the same rows, or columns."""
    if taken is None or taken == range(size):
        return 1
    if taken.step < 1 or taken != range(0, size, taken.step):
        raise UntypedError(f"takes {taken} of {size} rows or columns")
    return taken.step


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
