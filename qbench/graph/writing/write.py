"""Write a `Network` as float ONNX: whole, with other weights, or a single layer. Operator set 17, dynamic batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from qbench.errors import ModelError, suggest
from qbench.graph.network import Network
from qbench.graph.nodes import (
    Activation,
    Add,
    Clamp,
    Conv,
    Flatten,
    Floats,
    Foreign,
    Layer,
    Linear,
    Mul,
    Node,
    Pool,
    Recurrent,
    inputs_of,
    outputs_of,
)
from qbench.graph.weights import onnx_order
from qbench.graph.writing.builder import OPSET, Builder
from qbench.graph.writing.write_other import write_other
from qbench.graph.writing.write_recurrent import feeders, write_recurrent


def write_onnx(network: Network, path: Path, *, weights: Mapping[str, Floats] | None = None) -> None:
    """Write `to_onnx_bytes` to a file; raise ModelError when that fails."""
    content = to_onnx_bytes(network, weights=weights)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error


def to_onnx_bytes(network: Network, *, weights: Mapping[str, Floats] | None = None) -> bytes:
    """Return the network as float ONNX; reading it gives the same nodes back.

    Args:
        network: the network.
        weights: layer name -> float32 weights in place of the layer's own, in its own shape or as `QTensor.dequantize`
            gives them: (channels, depth), a convolution's depth in the order (kh, kw, channel).
    """
    replaced = dict(weights or {})
    names = {layer.name for layer in network.layers}
    for name in replaced:
        if name not in names:
            raise ModelError(f"weights for layer '{name}': {network.name} has no such layer{suggest(name, names)}")
    builder = Builder(network.name, opset=opset_of(network))
    fed = feeders(network)
    for node in network.nodes:
        if isinstance(node, Recurrent):
            write_recurrent(builder, node, fed.get(node.gates), weights=replaced)
            continue
        if node.name in {linear.name for linear in fed.values()}:
            continue  # it is in the operator of the recurrence
        weight = as_onnx(node, replaced[node.name]) if isinstance(node, Layer) and node.name in replaced else None
        _add(builder, node, weight, network)
    return builder.to_bytes(
        inputs={name: network.shapes[name] for name in network.inputs},
        outputs={name: network.shapes[name] for name in network.outputs},
        metadata=network.metadata, dtypes=network.dtypes, unbatched=network.unbatched,
    )  # fmt: skip


def opset_of(network: Network) -> int:
    """Return the operator set that a network is written in: that of its foreign operators, else qbench's own."""
    versions = {node.opset for node in network.foreign}
    if len(versions) > 1:
        raise ModelError(
            f"{network.name}: its operators are of operator sets {sorted(versions)}, which do not fit into one file"
        )
    if versions and min(versions) < 11:
        raise ModelError(f"{network.name}: operator set {min(versions)} cannot be written back; expected 11 or newer")
    return max(versions, default=OPSET)


def layer_alone(network: Network, layer_name: str) -> Network:
    """Return a network of one layer, with its clamp but without its residual, for timing."""
    found = next((layer for layer in network.layers if layer.name == layer_name), None)
    if found is None:
        names = [layer.name for layer in network.layers]
        raise ModelError(f"{network.name} has no layer '{layer_name}'{suggest(layer_name, names)}")
    if isinstance(found, Recurrent):
        raise ModelError(f"layer '{layer_name}': a recurrence is no layer that stands alone")
    node = replace(found, residual=None) if isinstance(found, Conv) else found
    shapes = {tensor: network.shapes[tensor] for tensor in (found.input, found.output)}
    return Network(layer_name, found.input, shapes[found.input], found.output, (node,), shapes, {}, "")


def node_as_foreign(network: Network, node: Node, *, opset: int = OPSET) -> Foreign:
    """Return a typed node of a network as a Foreign, for another library to run."""
    builder = Builder(node.name, opset=opset)
    _add(builder, node, None, network)
    inputs = tuple(dict.fromkeys(inputs_of(node)))
    outputs = tuple(tensor for tensor in outputs_of(node) if not isinstance(node, Recurrent) or tensor != node.input)
    content = builder.to_bytes(
        inputs={name: network.shapes[name] for name in inputs},
        outputs={name: network.shapes[name] for name in outputs}, metadata={}, dtypes=network.dtypes,
        unbatched=network.unbatched,
    )  # fmt: skip
    return Foreign(node.name, (type(node).__name__,), inputs, outputs, content, opset)


def as_onnx(layer: Layer, weights: Floats) -> Floats:
    """Return weights in the layer's own (ONNX) shape; (channels, depth) of a convolution is taken as OHWI."""
    if weights.shape == layer.weight.shape:
        return weights.astype(np.float32)
    out, *rest = layer.weight.shape
    if isinstance(layer, Conv) and weights.shape == (out, int(np.prod(rest))):
        return onnx_order(layer, weights).astype(np.float32)
    raise ModelError(f"weights for layer '{layer.name}': expected shape {layer.weight.shape}, got {weights.shape}")


def _add(builder: Builder, node: Node, weight: Floats | None, network: Network) -> None:
    """Add a node of the network as one to three ONNX nodes."""
    match node:
        case Conv() | Linear():
            residual = None if isinstance(node, Linear) else node.residual
            tokens = isinstance(node, Linear) and len(network.shapes[node.input]) > 1
            _add_layer(builder, node, weight, residual=residual, tokens=tokens)
        case Add() | Mul():
            out = f"{node.name}:pre_clamp" if node.activation else node.output
            builder.op(type(node).__name__, node.inputs, out, name=node.name)
            _clamped(builder, node.activation, out, node)
        case Activation():
            builder.clamp(node.clamp, node.input, node.output, name=node.name)
        case Pool():
            builder.pool(node, node.input, node.output)
        case Flatten():
            builder.op("Flatten", [node.input], node.output, name=node.name, axis=1)
        case Foreign():
            builder.foreign(node)
        case Recurrent():
            write_recurrent(builder, node, None, weights={})
        case _:
            write_other(builder, node, network.shapes)


def _clamped(builder: Builder, clamp: Clamp | None, source: str, node: Node) -> None:
    if clamp is not None:
        builder.clamp(clamp, source, node.output, name=f"{node.name}.clamp")


def _add_layer(
    builder: Builder, node: Conv | Linear, weight: Floats | None, *, residual: str | None, tokens: bool
) -> None:
    clamped = node.activation is not None
    out = f"{node.name}:pre_clamp" if clamped else node.output
    bare = f"{node.name}:pre_add" if residual is not None else out
    inputs = [node.input, f"{node.name}.weight", builder.constant(f"{node.name}.bias", node.bias)]
    if not tokens:
        builder.constant(inputs[1], node.weight if weight is None else weight)
    if isinstance(node, Conv):
        builder.conv(node, inputs, bare)
    elif tokens:
        inputs[1] = builder.constant(f"{node.name}.weight.T", (node.weight if weight is None else weight).T)
        builder.op("MatMul", inputs[:2], f"{node.name}:pre_bias", name=node.name)
        builder.op("Add", [f"{node.name}:pre_bias", inputs[2]], bare, name=f"{node.name}.bias")
    else:
        builder.op("Gemm", inputs, bare, name=node.name, transB=1)
    if residual is not None:
        builder.op("Add", [bare, residual], out, name=f"{node.name}.add")
    _clamped(builder, node.activation, out, node)
