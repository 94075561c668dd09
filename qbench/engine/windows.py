"""From the graph's layers to the kernels' windows and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.graph.network import Conv, Layer
from qbench.graph.weights import depth_weights, is_depthwise
from qbench.kernels.conv.reference import Window


def window_of(layer: Layer) -> Window:
    """Return a layer's window; a linear layer is a 1 x 1 convolution."""
    if not isinstance(layer, Conv):
        return Window((1, 1))
    kernel = (layer.weight.shape[2], layer.weight.shape[3])
    return Window(kernel, layer.strides, layer.pads, layer.dilations)


def has_own_windows(layer: Layer) -> bool:
    """Whether a layer is depthwise with one output channel per input channel, as the depthwise kernels want it."""
    return isinstance(layer, Conv) and is_depthwise(layer) and layer.groups == len(layer.weight)


def dense_ohwi(layer: Layer, depth: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    """Return weights or codes of shape (channels, depth) as OHWI.

    Grouped convolutions become dense ones with zeros outside their block: right, but slow.
    """
    flat = depth_weights(layer) if depth is None else depth
    if not isinstance(layer, Conv):
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
