"""The forms in which a tensor is kept, each in a buffer of its own, and where its numbers lie in them.

`codes` are u8 and `reals` float32, both as (height, width, channels) with padded channels and the border that padding
needs; `plain` is the array as ONNX has it, of the tensor's own type, for another library; `fake` is a copy of the reals
in which each number is what its code stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from qbench.core.granularity import Dynamic
from qbench.engine.container import Container, container_of
from qbench.engine.windows import has_own_windows
from qbench.graph.network import (
    Activation,
    Add,
    ChannelAffine,
    Concat,
    Conv,
    DepthToSpace,
    Flatten,
    Interpolate,
    Layer,
    Linear,
    Mul,
    Network,
    Node,
    Pads,
    Pool,
    Resize,
    Select,
    Unary,
    inputs_of,
    outputs_of,
)
from qbench.graph.nodes import Hadamard, ImageNorm, LayerNorm, Softmax
from qbench.graph.quantized_network import QuantizedNetwork

Form = Literal["codes", "reals", "plain", "fake"]
Grid = tuple[int, int, int]
"""(height, width, channels): images as they are, rows of tokens as images one pixel wide, vectors as one pixel."""

IMAGES = (Conv, Pool, Resize, Interpolate, DepthToSpace, Flatten, ChannelAffine, Select, Concat, ImageNorm)
"""Nodes to which three axes are (channels, height, width)."""
ROWS = (Linear, LayerNorm, Hadamard, Softmax)
"""Nodes to which the last axis is the channels, however many stand before it."""
NUMBERS = (Add, Mul, Unary, Activation)
"""Nodes that take each number by itself: any axis may be the channels, as long as it is the same one."""


def name_of(tensor: str, form: Form) -> str:
    """Return the name of the buffer that holds a tensor in a form."""
    return tensor if form == "reals" else f"{tensor}:{form}"


def grids(network: Network) -> dict[str, Grid]:
    """Return the grid of every tensor of float32 numbers whose sizes are known and whose first axis is the batch.

    Three axes are an image unless only nodes that mean rows, or numbers beside those, read and write the tensor.
    """
    rows, found = _rows(network), {}
    for tensor, shape in network.shapes.items():
        known = shape and min(shape) > 0 and tensor not in network.unbatched
        if not known or network.dtypes.get(tensor, "float32") != "float32":
            continue
        is_image = len(shape) == 3 and tensor not in rows
        found[tensor] = (shape[1], shape[2], shape[0]) if is_image else (math.prod(shape[:-1]), 1, shape[-1])
    return found


def _rows(network: Network) -> set[str]:
    """Return the tensors of three axes that are rows."""
    images = {t for node in network.nodes if isinstance(node, IMAGES) for t in _ends(node)}
    rows = {t for node in network.nodes if isinstance(node, ROWS) for t in _ends(node)} - images
    beside = [set(_ends(node)) for node in network.nodes if isinstance(node, NUMBERS)]
    count = -1
    while count != len(rows):
        count = len(rows)
        for ends in beside:
            if ends & rows:
                rows |= ends - images
    return {tensor for tensor in rows if len(network.shapes[tensor]) == 3}


def _ends(node: Node) -> tuple[str, ...]:
    return (*inputs_of(node), *outputs_of(node))


def is_image(network: Network, tensor: str, grid: Mapping[str, Grid]) -> bool:
    """Whether a tensor's grid is that of images: another library then reads it from its plain form."""
    shape = network.shapes[tensor]
    return len(shape) == 3 and tensor in grid and grid[tensor] == (shape[1], shape[2], shape[0])


def borders(nodes: Iterable[Node]) -> dict[str, Pads]:
    """Return for every tensor the border that the paddings of the convolutions reading it need."""
    found: dict[str, Pads] = {}
    for node in nodes:
        if isinstance(node, Conv):
            old = found.get(node.input, (0, 0, 0, 0))
            found[node.input] = tuple(max(a, b) for a, b in zip(old, node.pads, strict=True))  # type: ignore[assignment]
    return found


def containers(quantized: QuantizedNetwork, *, wide: bool = False) -> dict[str, Container]:
    """Return the container of every tensor that has uniform parameters; flattening keeps its input's.

    Args:
        quantized: the network.
        wide: ask for those of two bytes, instead of those of one.
    """
    network, found = quantized.network, {}
    for tensor in network.shapes:
        params = quantized.activations.get(network.unflattened(tensor))
        box = None if params is None else container_of(params)
        if box is not None and box.is_wide == wide:
            found[tensor] = box
    return found


def why_float(quantized: QuantizedNetwork, tensor: str) -> str:
    """Return why a tensor has no container."""
    params = quantized.activations.get(quantized.network.unflattened(tensor))
    what = "stays in float32" if params is None else f"has {type(params.spec.format).__name__} levels"
    return f"activation '{tensor}' {what}"


def why_not_counted(quantized: QuantizedNetwork, layer: Layer) -> str:
    """Return why a layer's kernels cannot count its input in codes whose scale only a run shows, "" where they can."""
    network, tensor = quantized.network, layer.input
    params = quantized.activations.get(network.unflattened(tensor))
    if params is None or not isinstance(params.spec.granularity, Dynamic) or layer.name not in quantized.weights:
        return why_float(quantized, tensor)
    inner, window = network.unflattened(tensor), isinstance(layer, Conv) and layer.weight.shape[2:]
    if network.shapes[inner] != network.shapes[tensor] and max(network.shapes[inner][1:]) > 1:
        return f"activation '{tensor}' is flattened from pixels that were quantized before"
    if isinstance(layer, Conv) and has_own_windows(layer):
        return "its output stays in float32, and kernels for one channel each write codes"
    if params.spec.granularity.rows and isinstance(layer, Conv) and (
        window != (1, 1) or any(layer.pads) or layer.strides != (1, 1)
    ):  # fmt: skip
        return f"activation '{tensor}' has a scale for every pixel, and a window of several adds up what has one"
    return ""
