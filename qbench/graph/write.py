"""Write a `Network` as float ONNX: whole, with other weights, or one layer alone. Operator set 17, dynamic batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qbench.errors import ModelError, suggest
from qbench.graph.builder import Builder
from qbench.graph.network import Activation, Add, Conv, Flatten, Floats, Layer, Linear, Network, Node, Pool


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
    builder = Builder(network.name)
    for node in network.nodes:
        weight = as_onnx(node, replaced[node.name]) if isinstance(node, Layer) and node.name in replaced else None
        _add(builder, node, weight)
    return builder.to_bytes(
        inputs={network.input: network.input_shape},
        outputs={network.output: network.shapes[network.output]},
        metadata=network.metadata,
    )


def layer_onnx_bytes(network: Network, layer_name: str) -> bytes:
    """Return a model of one layer alone, with its clamp but without its residual, for timing."""
    found = next((layer for layer in network.layers if layer.name == layer_name), None)
    if found is None:
        names = [layer.name for layer in network.layers]
        raise ModelError(f"{network.name} has no layer '{layer_name}'{suggest(layer_name, names)}")
    builder = Builder(layer_name)
    _add(builder, found, None, alone=True)
    shapes = network.shapes
    return builder.to_bytes(
        inputs={found.input: shapes[found.input]}, outputs={found.output: shapes[found.output]}, metadata={}
    )


def as_onnx(layer: Layer, weights: Floats) -> Floats:
    """Return weights in the layer's own (ONNX) shape; (channels, depth) of a convolution is taken as OHWI."""
    if weights.shape == layer.weight.shape:
        return weights.astype(np.float32)
    out, *rest = layer.weight.shape
    if isinstance(layer, Conv) and weights.shape == (out, int(np.prod(rest))):
        channels, height, width = rest
        return weights.reshape(out, height, width, channels).transpose(0, 3, 1, 2).astype(np.float32)
    raise ModelError(f"weights for layer '{layer.name}': expected shape {layer.weight.shape}, got {weights.shape}")


def _add(builder: Builder, node: Node, weight: Floats | None, *, alone: bool = False) -> None:
    """Add a node of the network as one to three ONNX nodes."""
    match node:
        case Conv() | Linear():
            _add_layer(builder, node, weight, residual=None if alone or isinstance(node, Linear) else node.residual)
        case Add():
            out = f"{node.name}:pre_clamp" if node.activation else node.output
            builder.op("Add", node.inputs, out, name=node.name)
            if node.activation is not None:
                builder.clamp(node.activation, out, node.output, name=f"{node.name}.clamp")
        case Activation():
            builder.clamp(node.clamp, node.input, node.output, name=node.name)
        case Pool():
            builder.pool(node, node.input, node.output)
        case Flatten():
            builder.op("Flatten", [node.input], node.output, name=node.name, axis=1)


def _add_layer(builder: Builder, node: Layer, weight: Floats | None, *, residual: str | None) -> None:
    clamped = node.activation is not None
    out = f"{node.name}:pre_clamp" if clamped else node.output
    bare = f"{node.name}:pre_add" if residual is not None else out
    inputs = [
        node.input,
        builder.constant(f"{node.name}.weight", node.weight if weight is None else weight),
        builder.constant(f"{node.name}.bias", node.bias),
    ]
    if isinstance(node, Conv):
        builder.conv(node, inputs, bare)
    else:
        builder.op("Gemm", inputs, bare, name=node.name, transB=1)
    if residual is not None:
        builder.op("Add", [bare, residual], out, name=f"{node.name}.add")
    if node.activation is not None:
        builder.clamp(node.activation, out, node.output, name=f"{node.name}.clamp")
