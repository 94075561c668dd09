"""`rotate`: an orthogonal matrix spreads outliers over many channels before anything is rounded.

    W x = (W R) (R^T x),   R = diag(signs) H / sqrt(n) in every block of n channels

with H the Walsh-Hadamard matrix and n the largest power of two that divides the channels (of a head, behind an
attention). Where a layer without an activation writes x, and x reaches its readers by means and attention only, R^T is
folded into that layer and nothing is left to compute; signs are drawn from the seed. Other rows of tokens, and vectors,
are turned on the way, by a step of their own whose time counts, with signs of 1. `rotate(folded)` leaves those as they
are. Source: Ashkboos et al. 2024, "QuaRot: Outlier-free 4-bit inference in rotated LLMs", sections 3 and 4. To rotate
the whole residual stream, as there, takes norms without a mean, which no network here has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats
from qbench.errors import QBenchError, UnsuitableError
from qbench.graph import (
    Attention,
    Conv,
    Flatten,
    Hadamard,
    Layer,
    Linear,
    Network,
    Node,
    Pool,
    QuantizedNetwork,
    TokenMean,
)
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.transforms.links import Link, Refusal, linked, told

FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class Rotate:
    """Spread outliers over channels by Hadamard matrices, folded or as steps; rotate(folded) adds no step."""

    folded: bool = False
    name: ClassVar[str] = "rotate"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "before"
    needs_samples: ClassVar[bool] = False

    @property
    def word(self) -> str:
        """The word in recipes."""
        return f"{self.name}({FOLDED})" if self.folded else self.name

    def tuned(self, value: str) -> Rotate:
        """Return the stage that adds no step; raise QBenchError for any other word."""
        if value != FOLDED:
            raise QBenchError(f"expected {FOLDED}, got '{value}'")
        return Rotate(folded=True)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: the network stays in float32."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other weights, steps and the same function; raise UnsuitableError for no tensor."""
        network, draw = quantized.network, np.random.default_rng(seed)
        nodes: dict[str, Node] = {node.name: node for node in network.nodes}
        folded = [link for link in linked(network)[0] if _is_foldable(network, link)]
        for link in folded:
            _fold(nodes, link, _rotation(_block(network, link), _channels(network, link.tensor), draw))
        done = {name for link in folded for name in link.readers}
        rest = dict.fromkeys(layer.input for layer in network.layers if layer.name not in done)
        refused = [Refusal(tensor, self._why_not(network, tensor)) for tensor in rest]
        changed = replace(network, nodes=tuple(nodes.values()))
        turned, left = [one.tensor for one in refused if not one.why], [one for one in refused if one.why]
        for tensor in turned:
            changed = _turned(changed, tensor)
        if not folded and not turned:
            raise UnsuitableError(f"network '{network.name}': {told(self.word, 0, left)}")
        said = f"{told(self.word, len(folded) + len(turned), left)}; {len(turned)} of them by a step"
        return replace(quantized, network=changed, remarks=(*quantized.remarks, said))

    def _why_not(self, network: Network, tensor: str) -> str:
        """Return why a tensor is not turned by a step, or ''."""
        if self.folded:
            return "need a step"
        layers = [node for node in network.consumers(tensor) if isinstance(node, Layer)]
        if any(isinstance(layer, Conv) for layer in layers) or network.unflattened(tensor) != tensor:
            return "are images"
        shape = network.shapes[tensor]
        if tensor in network.unbatched or tensor in network.dtypes or min(shape, default=-1) < 1 or len(shape) > 2:
            return "are not one row of numbers for each token"
        return "have an odd number of channels" if shape[-1] % 2 else ""


def _is_foldable(network: Network, link: Link) -> bool:
    """Return whether a matrix passes from the link's writer to its readers."""
    writer = network.node(link.writer)
    if (
        link.apart
        or not isinstance(writer, Conv | Linear)
        or writer.activation is not None
        or _block(network, link) < 2
    ):
        return False
    passes = all(
        isinstance(node, Attention | TokenMean | Flatten) or (isinstance(node, Pool) and node.kind != "max")
        for node in map(network.node, link.through)
    )
    layers = [writer, *map(network.node, link.readers)]
    return passes and not any(isinstance(layer, Conv) and layer.groups > 1 for layer in layers)


def _channels(network: Network, tensor: str) -> int:
    shape = network.shapes[tensor]
    return shape[0] if len(shape) == 3 else shape[-1]


def _block(network: Network, link: Link) -> int:
    """Return the largest power of two that divides the channels, of a head where one is passed."""
    channels = _channels(network, link.tensor)
    heads = [node.heads for node in map(network.node, link.through) if isinstance(node, Attention)]
    channels //= max(heads, default=1)
    return channels & -channels


def _rotation(block: int, channels: int, draw: np.random.Generator) -> Doubles:
    """Return R of every block, float64 (channels / block, block, block)."""
    signs = draw.choice([-1.0, 1.0], size=(channels // block, block, 1))
    return np.asarray(signs * Hadamard("", "", "", block).matrix.astype(np.float64))


def _fold(nodes: dict[str, Node], link: Link, rotation: Doubles) -> None:
    """Turn the outputs of a link's writer by R^T and the inputs of its readers by R."""
    writer = nodes[link.writer]
    assert isinstance(writer, Conv | Linear)
    weight = np.moveaxis(_turn(np.moveaxis(writer.weight, 0, -1), rotation), -1, 0)
    bias = _turn(writer.bias, rotation)
    nodes[link.writer] = replace(
        writer, weight=np.ascontiguousarray(weight, np.float32), bias=np.asarray(bias, np.float32), source=""
    )
    for name in link.readers:
        layer = nodes[name]
        assert isinstance(layer, Conv | Linear)
        nodes[name] = _inputs_turned(layer, rotation)


def _turn(rows: Floats, rotation: Doubles) -> Doubles:
    """Return (.., channels) times the blocks of R."""
    blocks = rows.astype(np.float64).reshape(*rows.shape[:-1], *rotation.shape[:2])
    return np.asarray(np.einsum("...bi,bij->...bj", blocks, rotation).reshape(rows.shape))


def _inputs_turned(layer: Layer, rotation: Doubles) -> Layer:
    """Return a layer that reads R^T x."""
    weight = np.moveaxis(_turn(np.moveaxis(layer.weight, 1, -1), rotation), -1, 1)
    return replace(layer, weight=np.ascontiguousarray(weight, np.float32), source="")


def _turned(network: Network, tensor: str) -> Network:
    """Return the network whose layers read a tensor by way of a Walsh-Hadamard transform."""
    channels = network.shapes[tensor][-1]
    block = channels & -channels
    step = Hadamard(f"{tensor}:rotate", tensor, f"{tensor}:rotated", block)
    rotation = np.broadcast_to(step.matrix.astype(np.float64), (channels // block, block, block))
    nodes: list[Node] = []
    for node in network.nodes:
        if isinstance(node, Linear) and node.input == tensor:
            if step not in nodes:
                nodes.append(step)
            node = replace(_inputs_turned(node, rotation), input=step.output)
        nodes.append(node)
    shapes = {**network.shapes, step.output: network.shapes[tensor]}
    return replace(network, nodes=tuple(nodes), shapes=shapes)
