"""Ways to see a tensor so that layers over it have a typed node: channels first, as tokens, as an image of one row.

    ChannelsFirst   (n, h, w, c) as (n, c, h, w)    a product over channels is a Conv of 1 x 1
    Tokens          (n, h, w, c) as (n, h * w, c)   a product over channels is a Linear
    OneRow          (n, c, l)    as (n, c, 1, l)    a Conv in one dimension is a Conv

A view says what a member of a region becomes; `qbench.graph.patterns.regions` finds regions and puts views around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from onnx import NodeProto, helper

from qbench.graph.nodes import Concat, Conv, Flatten, ImageNorm, LayerNorm, Linear, Pool, Shape
from qbench.graph.onnx.draft import Affine, Draft, Raw, UntypedError, reads, writes
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.passes.rewire import rewire
from qbench.graph.patterns.web import Web, operator

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
Names = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Special:
    """What a node with a typed form in the view becomes, and its tensors that are seen so.

    Args:
        drafts: the nodes, on tensors of the view.
        seen: tensors that they read or write in the view.
        is_layer: whether it has weights.
    """

    drafts: tuple[Draft, ...]
    seen: tuple[str, ...]
    is_layer: bool = False


class View(Protocol):
    """One way to see tensors."""

    suffix: str
    axes: Mapping[int, int]
    """Axis of the channels in a shape without batch -> the same in the view."""

    def dims(self, dims: Shape) -> Shape | None:
        """Return the sizes in the view, None where a tensor cannot be seen so."""

    def enter(self, web: Web, tensor: str, made: str) -> NodeProto:
        """Return the node that makes the view of a tensor."""

    def leave(self, web: Web, made: str, tensor: str) -> NodeProto:
        """Return the node that undoes it."""

    def special(self, web: Web, node: Raw) -> Special | None:
        """Return what a raw node becomes, None where it has no typed form in the view."""


def seen(tensor: str, view: View) -> str:
    """Return the name of a tensor's view."""
    return f"{tensor}:{view.suffix}"


def elementwise(node: Draft, view: View) -> Draft:
    """Return a node of single numbers on views of its tensors."""
    moved = rewire(node, {tensor: seen(tensor, view) for tensor in (*reads(node), *writes(node))})
    if isinstance(moved, Affine):
        axis = None if moved.axis is None else view.axes[moved.axis]
        return replace(moved, axis=axis, raw=None)
    return moved


def _transpose(source: str, made: str, perm: Shape) -> NodeProto:
    return helper.make_node("Transpose", [source], [made], name=made, perm=perm)


def _reshape(web: Web, source: str, made: str, sizes: tuple[int, ...]) -> NodeProto:
    constant = web.constant(f"{made}:sizes", np.asarray([0, *sizes], np.int64))
    return helper.make_node("Reshape", [source, constant], [made], name=made)


def _weights(reader: NodeReader, rank: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    try:
        return reader.floats(1, "weight", rank=rank)
    except UntypedError:
        return None


def _product(web: Web, node: Raw) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """Return the weights (k, n) of a MatMul over the last axis, None for any other node."""
    return _weights(web.reader(node), 2) if operator(node) == "MatMul" and len(node.reads) == 1 else None


class ChannelsFirst:
    """(n, h, w, c) as (n, c, h, w)."""

    suffix = "nchw"
    axes: Mapping[int, int] = {2: 0}

    def dims(self, dims: Shape) -> Shape | None:
        """Return the sizes, channels first."""
        return tuple(dims[axis] for axis in TO_FIRST) if len(dims) == 4 and min(dims[1:]) > 0 else None

    def enter(self, web: Web, tensor: str, made: str) -> NodeProto:
        """Return a Transpose."""
        return _transpose(tensor, made, TO_FIRST)

    def leave(self, web: Web, made: str, tensor: str) -> NodeProto:
        """Return a Transpose."""
        return _transpose(made, tensor, TO_LAST)

    def special(self, web: Web, node: Raw) -> Special | None:
        """Read products and means over channels last, and their concatenation."""
        weight, reader = _product(web, node), web.reader(node)
        source, output = seen(node.reads[0], self) if node.reads else "", seen(node.output, self)
        if weight is not None:
            kernel = np.ascontiguousarray(weight.T)[:, :, None, None]
            zeros = np.zeros(len(kernel), np.float32)
            layer = Conv(reader.scope(1), source, output, kernel, zeros, source=node.protos[0].input[1])
            return Special((layer,), (node.reads[0], node.output), is_layer=True)
        if operator(node) == "Concat" and reader.axis(1, rank=4) == 3 and len(node.reads) == len(node.inputs):
            joined = Concat(node.name, tuple(seen(tensor, self) for tensor in node.reads), output)
            return Special((joined,), (*node.reads, node.output))
        if operator(node) == "ReduceMean" and _axes(reader) == {1, 2}:
            return _mean(web, node, self)
        norm = _layer_norm(web, node)
        if norm is None:
            return None
        made = ImageNorm(norm.name, source, output, norm.scale, norm.offset, norm.epsilon, 0)
        return Special((made,), (node.reads[0], node.output))


def _layer_norm(web: Web, node: Raw) -> LayerNorm | None:
    """Return a LayerNormalization over the last axis of (n, h, w, c), None for any other node."""
    reader = web.reader(node)
    if operator(node) != "LayerNormalization" or len(node.reads) != 1 or len(node.outputs) != 1:
        return None
    if reader.axis(-1, rank=4) != 3:
        return None
    try:
        scale = reader.floats(1, "scale").reshape(-1)
        offset = reader.floats(2, "bias").reshape(-1) if reader.has(2) else np.zeros_like(scale)
    except UntypedError:
        return None
    if scale.size != web.types[node.reads[0]].shape[-1] or offset.size != scale.size:
        return None
    return LayerNorm(reader.scope(1), node.reads[0], node.output, scale, offset, reader.number("epsilon", 1e-5))


class Tokens:
    """(n, h, w, c) as (n, h * w, c)."""

    suffix = "tokens"
    axes: Mapping[int, int] = {2: 1}

    def dims(self, dims: Shape) -> Shape | None:
        """Return the sizes, every pixel a token."""
        return (dims[0], dims[1] * dims[2], dims[3]) if len(dims) == 4 and min(dims[1:]) > 0 else None

    def enter(self, web: Web, tensor: str, made: str) -> NodeProto:
        """Return a Reshape."""
        dims = web.types[tensor].shape
        return _reshape(web, tensor, made, (dims[0] * dims[1], dims[2]))

    def leave(self, web: Web, made: str, tensor: str) -> NodeProto:
        """Return a Reshape."""
        return _reshape(web, made, tensor, web.types[tensor].shape)

    def special(self, web: Web, node: Raw) -> Special | None:
        """Read products over channels, and their normalization."""
        weight, norm = _product(web, node), _layer_norm(web, node)
        ends = (seen(node.reads[0], self), seen(node.output, self)) if node.reads else ("", "")
        if norm is not None:
            return Special((replace(norm, input=ends[0], output=ends[1]),), (node.reads[0], node.output))
        if weight is None:
            return None
        zeros, name = np.zeros(weight.shape[1], np.float32), node.protos[0].input[1]
        made = Linear(web.reader(node).scope(1), *ends, np.ascontiguousarray(weight.T), zeros, source=name)
        return Special((made,), (node.reads[0], node.output), is_layer=True)


class OneRow:
    """(n, c, l) as (n, c, 1, l)."""

    suffix = "row"
    axes: Mapping[int, int] = {0: 0}

    def dims(self, dims: Shape) -> Shape | None:
        """Return the sizes of an image of one row."""
        return (*dims[:2], 1, dims[2]) if len(dims) == 3 and min(dims[1:]) > 0 else None

    def enter(self, web: Web, tensor: str, made: str) -> NodeProto:
        """Return a Reshape."""
        channels, length = web.types[tensor].shape
        return _reshape(web, tensor, made, (channels, 1, length))

    def leave(self, web: Web, made: str, tensor: str) -> NodeProto:
        """Return a Reshape."""
        return _reshape(web, made, tensor, web.types[tensor].shape)

    def special(self, web: Web, node: Raw) -> Special | None:
        """Read convolutions, pools and means in one dimension, and the concatenation of channels."""
        reader = web.reader(node)
        source, output = seen(node.reads[0], self) if node.reads else "", seen(node.output, self)
        op = operator(node)
        if op == "Conv" and len(node.reads) == 1:
            return self._conv(web, node, reader)
        if op in ("MaxPool", "AveragePool") and len(node.outputs) == 1:
            return self._pool(web, node, reader)
        if op in ("GlobalAveragePool", "GlobalMaxPool"):
            length = web.types[node.reads[0]].shape[1]
            kind = "max" if op == "GlobalMaxPool" else "global_average"
            made = Pool(node.name, kind, source, output, (1, length))  # type: ignore[arg-type]
            return Special((made,), (node.reads[0], node.output))
        if op == "Concat" and reader.axis(1, rank=3) == 1 and len(node.reads) == len(node.inputs):
            joined = Concat(node.name, tuple(seen(tensor, self) for tensor in node.reads), output)
            return Special((joined,), (*node.reads, node.output))
        return _mean(web, node, self) if op == "ReduceMean" and _axes(reader) == {2} else None

    def _conv(self, web: Web, node: Raw, reader: NodeReader) -> Special | None:
        weight, geometry = _weights(reader, 3), _row(reader, web, node)
        if weight is None or geometry is None:
            return None
        groups, channels = reader.integer("group", 1), web.types[node.reads[0]].shape[0]
        bias = reader.constants.get(node.protos[0].input[2]) if reader.has(2) else np.zeros(len(weight), np.float32)
        if groups < 1 or weight.shape[1] * groups != channels or len(weight) % groups:
            return None
        if bias is None or bias.shape != (len(weight),) or bias.dtype != np.float32 or not np.isfinite(bias).all():
            return None
        strides, pads, dilations = geometry
        ends = (seen(node.reads[0], self), seen(node.output, self))
        made = Conv(
            reader.scope(1), *ends, np.ascontiguousarray(weight[:, :, None, :]), bias.astype(np.float32),
            strides, pads, dilations, groups, source=node.protos[0].input[1],
        )  # fmt: skip
        return Special((made,), (node.reads[0], node.output), is_layer=True)

    def _pool(self, web: Web, node: Raw, reader: NodeReader) -> Special | None:
        geometry, kernel = _row(reader, web, node), reader.several("kernel_shape")
        if geometry is None or kernel is None or len(kernel) != 1 or reader.integer("ceil_mode", 0):
            return None
        strides, pads, dilations = geometry
        if dilations != (1, 1) or max(pads[1], pads[3]) >= kernel[0]:
            return None
        kind = "max" if operator(node) == "MaxPool" else "average"
        include = bool(reader.integer("count_include_pad", 0)) and kind == "average" and any(pads)
        ends = (seen(node.reads[0], self), seen(node.output, self))
        made = Pool(node.name, kind, *ends, (1, kernel[0]), strides, pads, include)  # type: ignore[arg-type]
        return Special((made,), (node.reads[0], node.output))


Geometry = tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]


def _row(reader: NodeReader, web: Web, node: Raw) -> Geometry | None:
    """Return strides, pads and dilations of a window in one dimension, as those of an image of one row."""
    strides, pads, dilations = (
        reader.several(key) or default for key, default in (("strides", (1,)), ("pads", (0, 0)), ("dilations", (1,)))
    )
    explicit = reader.word("auto_pad", "NOTSET") == "NOTSET"
    if not explicit or (len(strides), len(pads), len(dilations)) != (1, 2, 1) or min(pads) < 0:
        return None
    return ((1, strides[0]), (0, pads[0], 0, pads[1]), (1, dilations[0])) if min(*strides, *dilations) > 0 else None


def _axes(reader: NodeReader) -> set[int]:
    """Return the axes of a mean, counted from the front; none where they are computed."""
    rank = len(reader.kind().dims or ())
    try:
        return {axis % rank for axis in reader.axes(1, since=18) or ()}
    except UntypedError:
        return set()


def _mean(web: Web, node: Raw, view: View) -> Special | None:
    """Return the mean over all but the channels: a global pool, flattened where the axes vanish."""
    dims = view.dims((1, *web.types[node.reads[0]].shape))
    if dims is None:
        return None
    kept = bool(web.reader(node).integer("keepdims", 1))
    pooled = seen(node.output, view) if kept else f"{node.output}:mean"
    made = Pool(node.name, "global_average", seen(node.reads[0], view), pooled, (dims[2], dims[3]))
    if kept:
        return Special((made,), (node.reads[0], node.output))
    return Special((made, Flatten(node.name, pooled, node.output)), (node.reads[0],))
