"""Between which nodes a factor per channel can move: whoever writes a tensor divides by it, all that read it multiply.

    y = W x = (W diag(s)) (diag(1 / s) x),   s > 0

so the function stays the same. The writer is a layer norm, a layer, or the layer of the values behind an attention;
relus, pools, means over tokens and flattened pixels pass factors on. Whatever else stands there does not, and says so.
"""

from __future__ import annotations

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
Plain = Conv | Linear
"""A layer that is a product alone; a recurrence's channels cannot be scaled."""
Writer = Conv | Linear | LayerNorm | ChannelAffine


@dataclass(frozen=True, slots=True)
class Link:
    """A tensor whose channels can be scaled where layers read it.

    Args:
        tensor: what the readers read, flattened pixels as they were before.
        writer: the node whose numbers per channel take the factors.
        readers: the layers that read it, by name.
        through: nodes between the writer and the tensor, by name, the last first.
        apart: whether others read the tensor too: the layers then get a layer norm of their own, one more step.
    """

    tensor: str
    writer: str
    readers: tuple[str, ...]
    through: tuple[str, ...] = ()
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tensor that enters layers and whose channels cannot be scaled, and why, without a name."""

    tensor: str
    why: str


def linked(network: Network) -> tuple[list[Link], list[Refusal]]:
    """Return the links of a network, in order, and why other tensors that enter layers have none."""
    writers = {tensor: node for node in network.nodes for tensor in outputs_of(node)}
    found: list[Link] = []
    refused: list[Refusal] = []
    for tensor in dict.fromkeys(layer.input for layer in network.layers):
        named = network.unflattened(tensor)
        try:
            writer, through = _writer(network, tensor, writers)
            layers, others = _readers(network, tensor)
            if others and (through or not isinstance(writer, LayerNorm)):
                raise QBenchError(others)
            found.append(Link(named, writer.name, layers, through, apart=bool(others)))
        except QBenchError as why:
            refused.append(Refusal(named, str(why)))
    return found, refused


def told(stage: str, count: int, refused: list[Refusal]) -> str:
    """Return what a stage did and left out, in one line."""
    reasons: dict[str, list[str]] = {}
    for one in refused:
        reasons.setdefault(one.why, []).append(one.tensor)
    said = [f"{len(names)} {why} ('{names[0]}'{' ...' if len(names) > 1 else ''})" for why, names in reasons.items()]
    return "; ".join([f"{stage}: {count} of {count + len(refused)} tensors that enter layers", *said])


class Rescaling:
    """A network in which factors are moved, link by link.

    Args:
        network: as it was.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: dict[str, Node] = {node.name: node for node in network.nodes}
        self._copies: dict[str, LayerNorm] = {}

    def layers(self, names: tuple[str, ...]) -> list[Plain]:
        """Return layers as they are by now."""
        found = [self._nodes[name] for name in names]
        return [node for node in found if isinstance(node, Conv | Linear)]

    def writer(self, link: Link) -> Writer:
        """Return who writes a link's tensor, as it is by now."""
        node = self._nodes[link.writer]
        assert isinstance(node, Writer)
        return node

    def move(self, link: Link, scale: Doubles) -> None:
        """Divide a link's tensor by `scale` (c,) where it is written; multiply where layers read it."""
        writer = divided(self.writer(link), scale)
        for layer in self.layers(link.readers):
            self._nodes[layer.name] = times_inputs(layer, scale)
        if not link.apart:
            self._nodes[link.writer] = writer
            return
        assert isinstance(writer, LayerNorm)
        own = replace(writer, name=f"{writer.name}:scaled", output=f"{writer.output}:scaled")
        self._copies[link.writer] = own
        for layer in self.layers(link.readers):
            self._nodes[layer.name] = replace(layer, input=own.output)

    def network(self) -> Network:
        """Return the network with all that was moved."""
        nodes: list[Node] = []
        for name, node in self._nodes.items():
            nodes += [node, *filter(None, [self._copies.get(name)])]
        shapes = {
            own.output: self._network.shapes[self._network.node(name).output] for name, own in self._copies.items()
        }
        return replace(self._network, nodes=tuple(nodes), shapes={**self._network.shapes, **shapes})


def divided(node: Writer, scale: Doubles) -> Node:
    """Return a node whose output channels are divided by `scale` (c,)."""
    if isinstance(node, LayerNorm | ChannelAffine):
        return replace(node, scale=_float32(node.scale / scale), offset=_float32(node.offset / scale))
    rows = scale.reshape(-1, *[1] * (node.weight.ndim - 1))
    return replace(node, weight=_float32(node.weight / rows), bias=_float32(node.bias / scale), source="")


def by_input(layer: Plain, places: int = 1) -> Floats:
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


def times_inputs(layer: Plain, scale: Doubles, places: int = 1) -> Plain:
    """Return a layer whose input channels count `scale` (c,) times; `places` as in `by_input`."""
    if isinstance(layer, Linear):
        return replace(layer, weight=_float32(layer.weight * np.repeat(scale, places)), source="")
    out, inputs = layer.weight.shape[:2]
    per_output = np.repeat(scale.reshape(layer.groups, inputs), out // layer.groups, axis=0)
    return replace(layer, weight=_float32(layer.weight * per_output[:, :, None, None]), source="")


def _readers(network: Network, tensor: str) -> tuple[tuple[str, ...], str]:
    """Return the layers that read the channels of a tensor, and who else reads it, or ''."""
    layers: list[str] = []
    other = "are outputs" if {tensor, network.unflattened(tensor)} & {*network.outputs} else ""
    for node in network.consumers(tensor):
        if isinstance(node, Conv | Linear) and not (isinstance(node, Conv) and node.residual == tensor):
            layers.append(node.name)
        else:
            other = f"are read by {_word(node)} too"
    return tuple(layers), other


def _writer(
    network: Network, tensor: str, writers: dict[str, Node], through: tuple[str, ...] = ()
) -> tuple[Writer, tuple[str, ...]]:
    """Return the node whose output channels are the tensor's, and what stands between; QBenchError where none is."""
    node = writers.get(tensor)
    match node:
        case LayerNorm():
            return node, through
        case Conv() if node.residual is not None:
            raise QBenchError("are sums")
        case Conv() | Linear() | ChannelAffine():
            if node.activation not in (None, RELU):
                raise QBenchError(f"are clamped to {node.activation.low:g}..{node.activation.high:g}")
            return node, through
        case Attention() if node.value not in (node.query, node.key):
            source = node.value
        case Pool() | TokenMean():
            source = node.input
        case Flatten() if network.shapes[node.input][1:] in ((), (1, 1)):
            source = node.input
        case None:
            raise QBenchError("are inputs of the network")
        case _:
            raise QBenchError(f"come from {_word(node)}, which passes no factor on")
    if len(network.consumers(source)) != 1 or source in network.outputs:
        raise QBenchError("come from what others read too")
    assert node is not None
    return _writer(network, source, writers, (*through, node.name))


def _word(node: Node) -> str:
    return str(getattr(node, "function", type(node).__name__))


def _float32(values: Doubles | Floats) -> Floats:
    return np.asarray(values, np.float32)
