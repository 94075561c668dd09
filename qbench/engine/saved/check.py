"""Does what was read hang together? Kernels trust shapes, so a file may not: its hash proves no good intentions."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qbench.core.granularity import PerChannel, PerGroup
from qbench.core.tensor import QParams
from qbench.engine.saved.values import ValueFormError
from qbench.engine.saved.weights import StoredCodes
from qbench.graph.network import FREE, Conv, Foreign, Layer, Network, Node, Shape, inputs_of, outputs_of
from qbench.graph.shapes import shapes_after

_LARGEST_ZERO = 2**31


def check_network(network: Network, weights: Mapping[str, StoredCodes], activations: Mapping[str, QParams]) -> None:
    """Raise ValueFormError, or ModelError for a shape that does not fit its node, with what is wrong first."""
    if (network.input, network.output) != (network.inputs[0], network.outputs[0]):
        raise ValueFormError(f"ends '{network.input}' and '{network.output}', which are not the first of all ends")
    if wrong := [name for name, shape in network.shapes.items() if min(shape, default=0) < FREE]:
        raise ValueFormError(f"tensor '{wrong[0]}' of shape {network.shapes[wrong[0]]}")
    known = {name: network.shapes[name] for name in network.inputs}
    layers = {layer.name: layer for layer in network.layers}
    for name in weights:
        if name not in layers:
            raise ValueFormError(f"codes of '{name}', which is no layer of the network")
        _check_codes(layers[name], weights[name])
    for name in activations:
        if not {name, name.rpartition(":")[0]} & network.shapes.keys():  # `<layer>:pre_add` is none of its own
            raise ValueFormError(f"parameters of '{name}', which is no tensor of the network")
        if not np.all(np.isfinite(activations[name].scale) & (activations[name].scale > 0)):
            raise ValueFormError(f"parameters of '{name}' with a scale that is not positive")
        if not np.all(np.abs(activations[name].zero_point) < _LARGEST_ZERO):
            raise ValueFormError(f"parameters of '{name}' with a zero point that no code has")
    for node in network.nodes:
        _check_node(node, known)
        for tensor in outputs_of(node):
            known[tensor] = network.shapes[tensor]
        if not isinstance(node, Foreign):
            _check_shape(node, known)
    if missing := set(network.outputs) - set(known):
        raise ValueFormError(f"output '{min(missing)}', which no node writes")


def _check_node(node: Node, known: Mapping[str, Shape]) -> None:
    for tensor in inputs_of(node):
        if tensor not in known:
            raise ValueFormError(f"node '{node.name}' reads '{tensor}', which nothing before it writes")
    if isinstance(node, Layer) and node.bias.shape != (len(node.weight),):
        raise ValueFormError(f"layer '{node.name}': expected {len(node.weight)} biases, got {node.bias.shape}")


def _check_shape(node: Node, known: Mapping[str, Shape]) -> None:
    read = [known[tensor] for tensor in inputs_of(node)]
    written = tuple(known[tensor] for tensor in outputs_of(node))
    if any(size < 0 for shape in (*read, *written) for size in shape):
        return  # free sizes are told at run time, and buffers of such tensors are made then
    pairs = [*zip(shapes_after(node, read), written, strict=True)]
    if isinstance(node, Conv) and node.residual:
        pairs.append((read[-1], written[0]))
    for expected, got in pairs:
        if expected != got:
            raise ValueFormError(f"node '{node.name}': expected an output {expected}, got {got} of {read}")


def _check_codes(layer: Layer, codes: StoredCodes) -> None:
    """Compare codes and scales with the layer's weights."""
    channels, *rest = layer.weight.shape
    shape, granularity = (channels, math.prod(rest)), codes.params.spec.granularity
    scales: tuple[int, ...] = (channels,) if isinstance(granularity, PerChannel) else ()
    if isinstance(granularity, PerGroup):
        scales = (channels, -(-shape[1] // granularity.group_size))
    if codes.shape != shape or codes.params.scale.shape != scales:
        raise ValueFormError(
            f"layer '{layer.name}': expected codes {shape} and scales {scales}, got {codes.shape} and "
            f"{codes.params.scale.shape}"
        )
    levels, bits = codes.params.levels, codes.params.spec.format.bits
    if levels is not None and levels.shape != (2**bits,):
        raise ValueFormError(f"layer '{layer.name}': expected {2**bits} levels, got {levels.shape}")
