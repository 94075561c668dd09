"""Fold batch normalization, and sums and products with constants, into the weights before or after them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from qbench.graph.nodes import ChannelAffine, Conv, Layer, Linear, Shape
from qbench.graph.onnx.draft import Affine, Draft, reads, uncovered, uses


def fold_affine(
    nodes: Sequence[Draft], *, outputs: Sequence[str], shapes: Mapping[str, Shape], fixed: Collection[str] = ()
) -> tuple[Draft, ...]:
    """Return the nodes with every Affine folded into a layer before or after it, or made a node of its own.

    Args:
        nodes: in topological order.
        outputs: the network's output tensors.
        shapes: of all tensors, without the batch.
        fixed: weights (`source` of their layers) whose numbers must stay: those of layers that are quantized already.
    """
    nodes = _backward(nodes, outputs, fixed)
    nodes = _forward(nodes, outputs, shapes, fixed)
    return tuple(_alone(node, shapes[node.input]) if isinstance(node, Affine) else node for node in nodes)


def _backward(nodes: Sequence[Draft], outputs: Sequence[str], fixed: Collection[str]) -> tuple[Draft, ...]:
    """Fold each Affine into the layer, or the Affine, that only it reads."""
    count = uses(nodes, outputs)
    kept: dict[str, Draft] = {}  # by the tensor that each writes
    for node in nodes:
        before = kept.get(node.input) if isinstance(node, Affine) and count[node.input] == 1 else None
        if isinstance(node, Affine) and isinstance(before, Conv | Linear) and _is_channel(node, before, fixed):
            del kept[node.input]
            kept[node.output] = _scaled(before, node)
        elif isinstance(node, Affine) and isinstance(before, Affine) and _same_axis(before, node):
            del kept[node.input]
            kept[node.output] = _chained(before, node)
        else:
            kept[node.output] = node
    return tuple(kept.values())


def _is_channel(affine: Affine, layer: Layer, fixed: Collection[str]) -> bool:
    """Whether an Affine has one number for each channel that a layer writes, and may change the layer's weights."""
    if layer.source in fixed and not np.all(affine.scale == 1):
        return False
    if affine.axis is None:
        return True
    return affine.scale.size == len(layer.weight) and (affine.axis == 0 or isinstance(layer, Linear))


def _same_axis(first: Affine, second: Affine) -> bool:
    return first.axis is None or second.axis is None or first.axis == second.axis


def _chained(first: Affine, second: Affine) -> Affine:
    scale, offset = first.scale * second.scale, first.offset * second.scale + second.offset
    axis = second.axis if first.axis is None else first.axis
    raw = second.raw
    if first.raw is not None and raw is not None:
        raw = replace(
            first.raw, protos=(*first.raw.protos, *raw.protos), outputs=(second.output,),
            inputs=first.raw.inputs, reads=first.raw.reads,
        )  # fmt: skip
    return replace(
        first, name=second.name or first.name, output=second.output, scale=scale, offset=offset, axis=axis, raw=raw
    )


def _scaled(layer: Layer, affine: Affine) -> Layer:
    """Return the layer that computes layer, then affine; products in float64, rounded once."""
    bias = (layer.bias * affine.scale + affine.offset).astype(np.float32)
    if np.all(affine.scale == 1):
        _check_finite(affine, layer, bias)
        return replace(layer, name=layer.name or affine.name, bias=bias, output=affine.output)
    column = affine.scale.reshape(-1, *([1] * (layer.weight.ndim - 1)))
    weight = (layer.weight * column).astype(np.float32)
    _check_finite(affine, layer, weight, bias)
    return replace(layer, weight=weight, bias=bias, output=affine.output, source="")


def _forward(
    nodes: Sequence[Draft], outputs: Sequence[str], shapes: Mapping[str, Shape], fixed: Collection[str]
) -> tuple[Draft, ...]:
    """Fold each Affine into the layers after it, where only they read it and no padding is in the way."""
    readers: dict[str, list[Draft]] = {}
    for node in nodes:
        for tensor in reads(node):
            readers.setdefault(tensor, []).append(node)
    folded = {
        node.output: node
        for node in nodes
        if isinstance(node, Affine)
        and node.output not in outputs
        and all(_takes(reader, node, shapes[node.input], fixed) for reader in readers.get(node.output, ()))
    }
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Conv | Linear) and node.input in folded:
            kept.append(_preceded(node, folded[node.input]))
        elif node.output not in folded:
            kept.append(node)
    return tuple(kept)


def _takes(reader: Draft, affine: Affine, shape: Shape, fixed: Collection[str]) -> bool:
    if isinstance(reader, Conv | Linear) and reader.source in fixed:
        return False
    if isinstance(reader, Conv):
        unpadded = not any(reader.pads) or not affine.offset.any()
        return unpadded and len(shape) == 3 and affine.axis in (0, None) and reader.residual is None
    return isinstance(reader, Linear) and affine.axis in (len(shape) - 1, None)


def _preceded(layer: Layer, affine: Affine) -> Layer:
    """Return the layer that computes affine, then layer."""
    out, per_group = layer.weight.shape[:2]
    groups = layer.groups if isinstance(layer, Conv) else 1
    scale, offset = (np.broadcast_to(v, (per_group * groups,)) for v in (affine.scale, affine.offset))
    rows = np.arange(out) // (out // groups)  # the group of each output channel
    tail = [1] * (layer.weight.ndim - 2)
    columns, shifts = (v.reshape(groups, per_group)[rows].reshape(out, per_group, *tail) for v in (scale, offset))
    bias = (layer.bias + (layer.weight * shifts).reshape(out, -1).sum(axis=1)).astype(np.float32)
    weight = (layer.weight * columns).astype(np.float32)
    _check_finite(affine, layer, weight, bias)
    source = layer.source if np.all(scale == 1) else ""
    return replace(layer, input=affine.input, weight=weight, bias=bias, source=source)


def _check_finite(affine: Affine, layer: Layer, *arrays: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise uncovered(affine.name, affine.op, f"folding it into '{layer.name}' gives weights that are not finite")


def _alone(affine: Affine, shape: Shape) -> Draft:
    """Return the node that an Affine becomes where no layer takes it in."""
    axis = 0 if len(shape) == 3 else len(shape) - 1
    if affine.axis not in (axis, None) or not shape or shape[axis] < 1:
        return affine
    scale, offset = (np.broadcast_to(v, (shape[axis],)).astype(np.float32) for v in (affine.scale, affine.offset))
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise uncovered(affine.name, affine.op, "its numbers are not finite")
    return ChannelAffine(affine.name, affine.input, affine.output, scale, offset)
