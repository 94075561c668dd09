"""From the graph's layers to the kernels' windows and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.graph.network import Layer, Linear
from qbench.kernels.conv.reference import Window


def window_of(layer: Layer) -> Window:
    """Return a layer's window; a linear layer is a 1 x 1 convolution."""
    if isinstance(layer, Linear):
        return Window((1, 1))
    kernel = (layer.weight.shape[2], layer.weight.shape[3])
    return Window(kernel, layer.strides, layer.pads, layer.dilations)


def depth_weights(layer: Layer) -> npt.NDArray[np.float32]:
    """Return the weights as methods see them: (channels, depth), depth in (kh, kw, channel) order."""
    if isinstance(layer, Linear):
        return np.ascontiguousarray(layer.weight, np.float32)
    return np.ascontiguousarray(layer.weight.transpose(0, 2, 3, 1).reshape(len(layer.weight), -1), np.float32)


def is_depthwise(layer: Layer) -> bool:
    """Whether every channel has a window of its own."""
    if isinstance(layer, Linear):
        return False
    channels, inputs = layer.weight.shape[:2]
    return bool(inputs == 1 and layer.groups == channels > 1)


def dense_ohwi(layer: Layer, depth: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    """Return weights or codes of shape (channels, depth) as OHWI.

    Grouped convolutions become dense ones with zeros outside their block: right, but slow.
    """
    flat = depth_weights(layer) if depth is None else depth
    if isinstance(layer, Linear):
        return flat.reshape(len(flat), 1, 1, -1)
    channels, inputs, height, width = layer.weight.shape
    ohwi = flat.reshape(channels, height, width, inputs)
    if layer.groups == 1:
        return ohwi
    full = np.zeros((channels, height, width, inputs * layer.groups), ohwi.dtype)
    each = channels // layer.groups
    for group in range(layer.groups):
        rows = slice(group * each, (group + 1) * each)
        full[rows, :, :, group * inputs : (group + 1) * inputs] = ohwi[rows]
    return full
