"""A grouped convolution as several dense ones, each of a few groups: as few as fill a store of channels.

As one dense convolution, with zeros for what a group does not see, ResNeXt's 32 groups of 4 channels would be 32 times
the products; as 8 of 16 channels they are 4 times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import PerTensor
from qbench.core.tensor import QTensor
from qbench.engine.lowering.layers import Lowered, lower, lower_depthwise
from qbench.engine.lowering.params import Ends
from qbench.graph.network import Conv, Layer
from qbench.kernels.layout import CHANNEL_MULTIPLE

K_GROUP = 4
"""Channels that a dot instruction takes at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some groups of a convolution.

    Args:
        layer: with the weights and biases of these groups alone.
        channels: the first channel that it reads, and the first that it writes.
        is_part: whether there are other groups.
    """

    layer: Layer
    channels: tuple[int, int] = (0, 0)
    is_part: bool = False

    def of(self, weights: QTensor) -> QTensor:
        """Return its share of the layer's codes."""
        if not self.is_part:
            return weights
        first = self.channels[1]
        rows = slice(first, first + len(self.layer.weight))
        params = weights.params
        if not isinstance(weights.spec.granularity, PerTensor):
            params = replace(params, scale=params.scale[rows], zero_point=params.zero_point[rows])
        return QTensor(weights.codes[rows], params)

    def moved(self, source: str, residual: str | None, target: str, *, name: str) -> Part:
        """Return the part with a layer whose tensors are names of buffers."""
        layer = replace(self.layer, name=name, input=source, output=target)
        return replace(self, layer=replace(layer, residual=residual) if isinstance(layer, Conv) else layer)


def part_name(name: str, place: int, count: int) -> str:
    """Return the name of the step of a part: the last one's is the layer's."""
    return name if place == count else f"{name}:{place}"


def parts_of(layer: Layer) -> tuple[Part, ...]:
    """Return a layer's parts: itself alone, unless it is a convolution whose groups fill whole stores of channels."""
    if not isinstance(layer, Conv) or layer.groups == 1:
        return (Part(layer),)
    reads, writes = layer.weight.shape[1], len(layer.weight) // layer.groups
    each = math.lcm(K_GROUP // math.gcd(reads, K_GROUP), CHANNEL_MULTIPLE // math.gcd(writes, CHANNEL_MULTIPLE))
    if each >= layer.groups:
        return (Part(layer),)
    return tuple(_part(layer, first, min(each, layer.groups - first)) for first in range(0, layer.groups, each))


def _part(layer: Conv, first: int, count: int) -> Part:
    reads, writes = layer.weight.shape[1], len(layer.weight) // layer.groups
    rows = slice(first * writes, (first + count) * writes)
    weight: npt.NDArray[np.float32] = layer.weight[rows]
    return Part(
        replace(layer, weight=weight, bias=layer.bias[rows], groups=count), (first * reads, first * writes), True
    )


def lower_parts(layer: Layer, weights: QTensor, ends: Ends, *, counts: bool) -> list[tuple[Part, Lowered]]:
    """Return the parts of a layer and what kernels are asked for, as `layers.lower` does for a whole one.

    Windows of one channel each are one part; so is what reads bits, which are packed of all channels.

    Raises:
        NotIntegerError: the layer has no integer form.
    """
    alone = lower_depthwise(layer, weights, ends)
    if alone is not None:
        return [(Part(layer), alone)]
    found = [(part, lower(part.layer, part.of(weights), ends, counts=counts)) for part in parts_of(layer)]
    if len(found) > 1 and any(lowered.product.is_words for _, lowered in found):
        return [(Part(layer), lower(layer, weights, ends, counts=counts))]
    return found
