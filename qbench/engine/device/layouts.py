"""How tensors lie on a device: all but the output are codes, so that whole networks run on them or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from qbench.engine.container import Container
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.plans.forms import borders, containers, why_float
from qbench.graph.network import Flatten, Network
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.product import U8_S8


def all_containers(quantized: QuantizedNetwork) -> dict[str, Container]:
    """Return the container of every tensor but the output; raise NotIntegerError where one has none."""
    network, found = quantized.network, containers(quantized)
    for tensor in network.shapes:
        if tensor != network.output and tensor not in found:
            raise NotIntegerError(why_float(quantized, tensor))
    return found


def code_layouts(
    network: Network, boxes: Mapping[str, Container], images: int
) -> tuple[dict[str, Layout], dict[str, float]]:
    """Return every tensor's layout where all but the output are codes, and what its border holds: the code of zero."""
    border = borders(network.nodes)
    layouts, fills = {}, {}
    for tensor, shape in network.shapes.items():
        channels, height, width = _spatial(shape)
        item = 4 if tensor == network.output else 1
        words = U8_S8.pixel_words(channels) if tensor == network.input else padded_channels(channels)
        layouts[tensor] = Layout(images, height, width, channels, words, item, border.get(tensor, (0, 0, 0, 0)))
        fills[tensor] = 0.0 if item == 4 else float(boxes[tensor].pad_code)
    return layouts, fills


def flat_aliases(network: Network) -> dict[str, str]:
    """Return the flattened tensors that are their input's bytes: those of 1 x 1 images."""
    return {
        n.output: n.input
        for n in network.nodes
        if isinstance(n, Flatten) and _spatial(network.shapes[n.input])[1:] == (1, 1)
    }


def _spatial(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (channels, height, width) of a tensor's shape without batch; vectors are 1 x 1 images."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
