"""Between which nodes a factor per channel can move: whoever writes a tensor divides by it, all that read it multiply.

    y = W x = (W diag(s)) (diag(1 / s) x),   s > 0

so the function stays the same. The writer is a layer norm, a layer, or the layer of the values behind an attention;
relus, pools, means over tokens and flattened pixels pass factors on. Whatever else stands there does not, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from qbench.core.tensor import Floats
from qbench.errors import QBenchError
from qbench.graph import (
    Attention,
    ChannelAffine,
    Clamp,
    Conv,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Network,
    Node,
    Pool,
    TokenMean,
    outputs_of,
)
from qbench.methods.fitting.slices import Doubles

RELU = Clamp(0.0, float("inf"))
Writer = Conv | Linear | LayerNorm | ChannelAffine


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor whose channels can be scaled.

    Args:
        tensor: what the readers read, flattened pixels as they were before.
        writer: the node whose numbers per channel take the factors.
        readers: the layers that read it, by name.
    """

    tensor: str
    writer: str
    readers: tuple[str, ...]


def links(network: Network) -> Iterator[Link | str]:
    """Yield, for every tensor that enters layers, the link, or why its channels cannot be scaled."""
    writers = {tensor: node for node in network.nodes for tensor in outputs_of(node)}
    for tensor in dict.fromkeys(layer.input for layer in network.layers):
        try:
            readers = _layers_that_read(network, tensor)
            writer = _writer(network, tensor, writers)
            yield Link(network.unflattened(tensor), writer.name, tuple(layer.name for layer in readers))
        except QBenchError as why:
            yield f"'{network.unflattened(tensor)}' {why}"


def linked(network: Network) -> tuple[list[Link], list[str]]:
    """Return the links of a network and why other tensors have none."""
    found = [*links(network)]
    return [one for one in found if isinstance(one, Link)], [one for one in found if isinstance(one, str)]


def told(stage: str, count: int, refused: list[str]) -> str:
    """Return what a stage did and left out, in one line."""
    return f"{stage}: {count} of {count + len(refused)} tensors" + (
        f"; not {'; not '.join(refused)}" if refused else ""
    )


def scaled(nodes: dict[str, Node], link: Link, scale: Doubles) -> None:
    """Divide the channels of a link's tensor by `scale` (c,) where they are written; multiply where they are read."""
    writer = nodes[link.writer]
    assert isinstance(writer, Writer)
    nodes[link.writer] = divided(writer, scale)
    for name in link.readers:
        layer = nodes[name]
        assert isinstance(layer, Conv | Linear)
        nodes[name] = times_inputs(layer, scale)


def divided(node: Writer, scale: Doubles) -> Node:
    """Return a node whose output channels are divided by `scale` (c,)."""
    if isinstance(node, LayerNorm | ChannelAffine):
        return replace(node, scale=_float32(node.scale / scale), offset=_float32(node.offset / scale))
    rows = scale.reshape(-1, *[1] * (node.weight.ndim - 1))
    return replace(node, weight=_float32(node.weight / rows), bias=_float32(node.bias / scale), source="")


def by_input(layer: Layer, places: int = 1) -> Floats:
    """Return a layer's weights as (input channels, outputs that read the channel, taps).

    Args:
        layer: a convolution, or a linear layer.
        places: numbers of each channel that a linear layer reads, channel slowest.
    """
    if isinstance(layer, Linear):
        n, k = layer.weight.shape
        return layer.weight.reshape(n, k // places, places).transpose(1, 0, 2)
    out, inputs, height, width = layer.weight.shape
    grouped = layer.weight.reshape(layer.groups, out // layer.groups, inputs, height * width)
    return grouped.transpose(0, 2, 1, 3).reshape(layer.groups * inputs, out // layer.groups, height * width)


def times_inputs(layer: Layer, scale: Doubles, places: int = 1) -> Layer:
    """Return a layer whose input channels count `scale` (c,) times; `places` as in `by_input`."""
    if isinstance(layer, Linear):
        return replace(layer, weight=_float32(layer.weight * np.repeat(scale, places)), source="")
    out, inputs = layer.weight.shape[:2]
    per_output = np.repeat(scale.reshape(layer.groups, inputs), out // layer.groups, axis=0)
    return replace(layer, weight=_float32(layer.weight * per_output[:, :, None, None]), source="")


def _layers_that_read(network: Network, tensor: str) -> list[Layer]:
    """Return the readers of a tensor; raise QBenchError unless all are layers that read channels."""
    found: list[Layer] = []
    for node in network.consumers(tensor):
        if not isinstance(node, Conv | Linear) or (isinstance(node, Conv) and node.residual == tensor):
            raise QBenchError(f"is read by '{node.name}' ({_word(node)}) too")
        found.append(node)
    if network.unflattened(tensor) in network.outputs or tensor in network.outputs:
        raise QBenchError("is an output")
    return found


def _writer(network: Network, tensor: str, writers: dict[str, Node]) -> Writer:
    """Return the node whose output channels are the tensor's; raise QBenchError where none is."""
    node = writers.get(tensor)
    match node:
        case LayerNorm():
            return node
        case Conv() if node.residual is not None:
            raise QBenchError(f"is a sum ('{node.name}' adds)")
        case Conv() | Linear() | ChannelAffine():
            if node.activation not in (None, RELU):
                raise QBenchError(f"is clamped by '{node.name}' to {node.activation.low:g}..{node.activation.high:g}")
            return node
        case Attention() if node.value not in (node.query, node.key):
            source = node.value
        case Pool() | TokenMean():
            source = node.input
        case Flatten() if network.shapes[node.input][1:] in ((), (1, 1)):
            source = node.input
        case None:
            raise QBenchError("is the network's input")
        case _:
            raise QBenchError(f"comes from '{node.name}' ({_word(node)}), which passes no factor on")
    if len(network.consumers(source)) != 1 or source in network.outputs:
        raise QBenchError(f"comes from '{source}', which others read too")
    return _writer(network, source, writers)


def _word(node: Node) -> str:
    return str(getattr(node, "function", type(node).__name__))


def _float32(values: Doubles | Floats) -> Floats:
    return np.asarray(values, np.float32)
