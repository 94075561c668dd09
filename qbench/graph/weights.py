"""How a layer's weights lie: in ONNX order in the graph, as rows over the depth for methods, codes and scales.

A row is all that one output channel is multiplied by: the depth of a convolution in the order (kh, kw, channel), as
NHWC activations meet it, and that of a linear layer as it is.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qbench.graph.nodes import Conv, Floats, Layer

Number = TypeVar("Number", bound=np.generic)


def depth_order(layer: Layer, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return numbers in ONNX order, of a layer's own shape, as rows (channels, depth)."""
    ordered = values.transpose(0, 2, 3, 1) if isinstance(layer, Conv) else values
    return np.ascontiguousarray(ordered.reshape(len(ordered), -1))


def onnx_order(layer: Layer, rows: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return rows (channels, depth) in the layer's own shape, in ONNX order."""
    if not isinstance(layer, Conv):
        return rows.reshape(layer.weight.shape)
    out, channels, height, width = layer.weight.shape
    return np.ascontiguousarray(rows.reshape(out, height, width, channels).transpose(0, 3, 1, 2))


def depth_weights(layer: Layer) -> Floats:
    """Return a layer's weights as methods see them, float32 (channels, depth): the order of `QTensor.codes`."""
    return depth_order(layer, np.asarray(layer.weight, np.float32))


def is_depthwise(layer: Layer) -> bool:
    """Return whether every output channel has a window on a single input channel."""
    return isinstance(layer, Conv) and layer.groups > 1 and layer.weight.shape[1] == 1
