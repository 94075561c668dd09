"""A network as typed nodes; ONNX in and out; the passes between. The only room that knows the onnx package."""

from qbench.graph.network import (
    Activation,
    Add,
    Clamp,
    Conv,
    Flatten,
    Layer,
    Linear,
    Network,
    Node,
    Pool,
    inputs_of,
)
from qbench.graph.qdq import qdq_onnx_bytes
from qbench.graph.read import read_onnx
from qbench.graph.write import layer_onnx_bytes, to_onnx_bytes, write_onnx

__all__ = [
    "Activation",
    "Add",
    "Clamp",
    "Conv",
    "Flatten",
    "Layer",
    "Linear",
    "Network",
    "Node",
    "Pool",
    "inputs_of",
    "layer_onnx_bytes",
    "qdq_onnx_bytes",
    "read_onnx",
    "to_onnx_bytes",
    "write_onnx",
]
