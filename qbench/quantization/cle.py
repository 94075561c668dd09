"""`cle`: cross-layer equalization, so that one scale per tensor suits all channels.

Where channel j leaves one layer through a relu and enters one other, W1's row j by 1/s_j and W2's column j by s_j give
the same function for any s_j > 0; s_j = sqrt(r1_j / r2_j) gives both the range sqrt(r1_j r2_j). Pairs are gone through
until nothing moves. Then what a channel never falls below, c_j = min(max(0, mean_j - 3 deviation_j), smallest_j) of
the calibration samples, moves from the first bias into the second, as W2 c, where the second layer pads nothing. The
paper takes 3 deviations of a normal law alone: on EfficientNet-Lite0 that leaves 18.5 dB of the float32 answers, with
the smallest number 23.7, nothing absorbed 24.6. A relu6 scales no longer, so it becomes a relu, as in the paper; but
only where the calibration samples hardly reach its upper end: where they do, the pair stays as it is, since without the
end the network would be another one. Source: Nagel et al. 2019, "Data-free quantization through weight equalization and
bias correction", sections 4.1 and 4.1.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.graph import Clamp, Conv, Flatten, Linear, Network, Node, Pool, QuantizedNetwork
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.transforms.links import RELU, Plain, by_input, times_inputs

ROUNDS, STILL = 20, 1e-3
"""Rounds over all pairs at most, and the change of a scale below which they have settled."""
DEVIATIONS = 3.0
"""By how many deviations the relu must lie below the mean of a channel for its bias to be absorbed."""
CLIPPED = 1e-4
"""Share of a layer's outputs that may stand at the upper end of its clamp for the clamp to be taken away; at 1e-3
EfficientNet-Lite0 lost 9 dB more of its float32 answers."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A layer whose output nothing but one other layer reads; `places` numbers of it enter that one per channel."""

    first: str
    second: str
    places: int = 1


class CrossLayerEqualization:
    """Move scale between neighbouring layers, so that the ranges of their channels are equal."""

    name: ClassVar[str] = "cle"
    version: ClassVar[int] = 2
    place: ClassVar[Place] = "before"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: the network stays in float32."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other weights and biases, and the same function but for clamped relus."""
        found = [pair for pair in pairs(quantized.network) if _is_free(quantized.network.node(pair.first), seen)]
        layers = {layer.name: layer for layer in quantized.network.layers if isinstance(layer, Plain)}
        for pair in found:
            layers[pair.first] = replace(layers[pair.first], activation=_unclamped(layers[pair.first]), source="")
            layers[pair.second] = replace(layers[pair.second], source="")
        for _ in range(ROUNDS):
            if max((_equalize(layers, pair) for pair in found), default=0.0) < STILL:
                break
        network = _with(quantized.network, layers)
        shown = seen.of(network)
        for pair in found:
            _absorb(layers, pair, shown)
        return replace(quantized, network=_with(network, layers))


def pairs(network: Network) -> Iterator[Pair]:
    """Yield the pairs of layers between which scale can move, in order.

    Between the two may stand relus, pools and a flattening: whatever multiplies with a positive factor per channel.
    """
    for first in network.layers:
        if not isinstance(first, Plain):
            continue
        scales = first.activation in (None, RELU) or (first.activation is not None and first.activation.low == 0.0)
        if not scales or (isinstance(first, Conv) and first.residual is not None):
            continue
        tensor, places = first.output, 1
        node = _only_reader(network, tensor)
        while isinstance(node, Pool | Flatten):
            if isinstance(node, Flatten):
                places = int(np.prod(network.shapes[tensor][1:]))
            tensor = node.output
            node = _only_reader(network, tensor)
        reads_channels = isinstance(node, Conv) or len(network.shapes[tensor]) == 1
        if isinstance(node, Plain) and node.input == tensor and reads_channels:
            yield Pair(first.name, node.name, places)


def _only_reader(network: Network, tensor: str) -> Node | None:
    readers = network.consumers(tensor)
    if len(readers) != 1 or tensor in network.outputs:
        return None
    return None if isinstance(readers[0], Conv) and readers[0].residual == tensor else readers[0]


def _is_free(layer: Node, seen: Observations) -> bool:
    """Return whether a layer's clamp has no upper end, or one that its outputs hardly reach."""
    assert isinstance(layer, Plain)
    if layer.activation is None or np.isinf(layer.activation.high):
        return True
    stats = seen.stats()[layer.output]
    reached = stats.centers + 0.5 * stats.bin_width >= layer.activation.high
    return float(stats.counts[reached].sum()) <= CLIPPED * stats.count


def _unclamped(layer: Plain) -> Clamp | None:
    return None if layer.activation is None else RELU


def _equalize(layers: dict[str, Plain], pair: Pair) -> float:
    """Equalize one pair and return the largest logarithm of a scale."""
    first, second = layers[pair.first], layers[pair.second]
    before = np.abs(first.weight.reshape(len(first.weight), -1)).max(axis=1).astype(np.float64)
    after = np.abs(by_input(second, pair.places)).max(axis=(1, 2)).astype(np.float64)
    alive = (before > 0) & (after > 0)
    scale = np.sqrt(np.where(alive, before, 1.0) / np.where(alive, after, 1.0))
    rows = scale.reshape(-1, *[1] * (first.weight.ndim - 1))
    layers[pair.first] = replace(
        first, weight=(first.weight / rows).astype(np.float32), bias=(first.bias / scale).astype(np.float32)
    )
    layers[pair.second] = times_inputs(second, scale, pair.places)
    return float(np.abs(np.log(scale)).max(initial=0.0))


def _absorb(layers: dict[str, Plain], pair: Pair, seen: Observations) -> None:
    """Move what a channel never falls below from the first layer's bias into the second's.

    Only where the second layer pads nothing: a border of zeros has no share in what is moved.
    """
    first, second = layers[pair.first], layers[pair.second]
    padded = isinstance(second, Conv) and any(second.pads)
    if first.activation is None or padded or pair.places != 1 or _pools(seen.network, pair):
        return
    stats = seen.channels()[seen.network.unflattened(second.input)]
    deviation = np.sqrt(np.maximum(stats.mean_square - stats.mean**2, 0.0))
    height = np.clip(stats.mean - DEVIATIONS * deviation, 0.0, np.maximum(stats.minimum, 0.0))
    if not height.any():
        return
    shift = np.einsum("iot,i->io", by_input(second, pair.places).astype(np.float64), height)
    if isinstance(second, Linear):
        moved = shift.sum(axis=0)
    else:
        moved = shift.reshape(second.groups, -1, shift.shape[1]).sum(axis=1).reshape(-1)
    layers[pair.first] = replace(first, bias=(first.bias - height).astype(np.float32))
    layers[pair.second] = replace(second, bias=(second.bias + moved).astype(np.float32))


def _pools(network: Network, pair: Pair) -> bool:
    """Whether something stands between the two layers."""
    return network.node(pair.second).input != network.node(pair.first).output  # type: ignore[union-attr]


def _with(network: Network, layers: dict[str, Plain]) -> Network:
    return replace(network, nodes=tuple(layers.get(node.name, node) for node in network.nodes))
