"""A network as typed nodes; ONNX in and out; the passes between. The only room that knows the onnx package.

What reads or writes ONNX is imported when it is first used: 20 MB that a network saved by qbench runs without.
"""

import importlib
from typing import TYPE_CHECKING, Any

from qbench.graph.network import (
    Activation,
    Add,
    Attention,
    ChannelAffine,
    Clamp,
    Concat,
    Conv,
    DepthToSpace,
    Flatten,
    Foreign,
    Hadamard,
    ImageNorm,
    Layer,
    LayerNorm,
    Linear,
    Mul,
    Network,
    Node,
    Pool,
    Recurrent,
    Resize,
    Select,
    Softmax,
    TokenMean,
    Unary,
    inputs_of,
    outputs_of,
)
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.readers import is_network_file, read_codes, read_network
from qbench.graph.weights import depth_weights, is_depthwise

if TYPE_CHECKING:
    from qbench.graph.onnx.read import read_onnx
    from qbench.graph.quantized.original import original_bytes
    from qbench.graph.quantized.read import read_quantized
    from qbench.graph.writing.qdq import qdq_onnx_bytes
    from qbench.graph.writing.write import layer_alone, to_onnx_bytes, write_onnx

__all__ = [
    "Activation",
    "Add",
    "Attention",
    "ChannelAffine",
    "Clamp",
    "Concat",
    "Conv",
    "DepthToSpace",
    "Flatten",
    "Foreign",
    "Hadamard",
    "ImageNorm",
    "Layer",
    "LayerNorm",
    "Linear",
    "Mul",
    "Network",
    "Node",
    "Pool",
    "QuantizedNetwork",
    "Recurrent",
    "Resize",
    "Select",
    "Softmax",
    "TokenMean",
    "Unary",
    "depth_weights",
    "inputs_of",
    "is_depthwise",
    "is_network_file",
    "layer_alone",
    "original_bytes",
    "outputs_of",
    "qdq_onnx_bytes",
    "read_codes",
    "read_network",
    "read_onnx",
    "read_quantized",
    "to_onnx_bytes",
    "write_onnx",
]

_PLACES = {
    "layer_alone": "writing.write",
    "original_bytes": "quantized.original",
    "qdq_onnx_bytes": "writing.qdq",
    "read_onnx": "onnx.read",
    "read_quantized": "quantized.read",
    "to_onnx_bytes": "writing.write",
    "write_onnx": "writing.write",
}
"""Function -> its module."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qbench.graph' has no attribute '{name}'")
    return getattr(importlib.import_module(f"qbench.graph.{_PLACES[name]}"), name)
