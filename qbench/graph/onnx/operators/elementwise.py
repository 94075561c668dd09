"""Functions of each number by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qbench.graph.nodes import Activation, Add, ChannelAffine, Clamp, Unary
from qbench.graph.onnx.draft import Draft, UntypedError
from qbench.graph.onnx.node_reader import NodeReader

NAMES: Mapping[str, str] = {
    "Abs": "abs", "Celu": "celu", "Elu": "elu", "Erf": "erf", "Exp": "exp", "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish", "LeakyRelu": "leaky_relu", "Log": "log", "Mish": "mish", "Reciprocal": "reciprocal",
    "Selu": "selu", "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign", "Sqrt": "sqrt",
    "Swish": "silu", "Tanh": "tanh", "ThresholdedRelu": "thresholded_relu",
}  # fmt: skip

DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "Celu": {"alpha": 1.0}, "Elu": {"alpha": 1.0}, "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01}, "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "Swish": {"alpha": 1.0}, "ThresholdedRelu": {"alpha": 1.0},
}  # fmt: skip


def unary(node: NodeReader) -> Draft:
    """Read an operator of one tensor, with its attributes in the order of the function's parameters."""
    parameters = tuple(node.number(key, default) for key, default in DEFAULTS.get(node.op, {}).items())
    return Unary(node.scope(), NAMES[node.op], node.tensor(), node.output, parameters)


def gelu(node: NodeReader) -> Draft:
    """Read Gelu."""
    name = "gelu_tanh" if node.word("approximate", "none") == "tanh" else "gelu"
    return Unary(node.scope(), name, node.tensor(), node.output)


def prelu(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read PRelu: one slope is a leaky relu; a slope a channel scales what is below zero, beside what is above it."""
    slope, shape = node.floats(1, "slope"), node.shape()
    if slope.size == 1 and slope.ndim <= len(shape) + 1:
        return Unary(node.scope(), "leaky_relu", node.tensor(), node.output, (float(slope.reshape(-1)[0]),))
    channels = shape[0] if len(shape) == 3 else shape[-1]
    tail = (1, 1) if len(shape) == 3 else ()
    if slope.size != channels or slope.shape[-1 - len(tail) :] != (channels, *tail) or slope.ndim > len(shape) + 1:
        raise UntypedError(f"its slope {slope.shape} is not one number per channel of {shape}")
    below, scaled, above = (f"{node.output}:{word}" for word in ("below", "scaled", "above"))
    return (
        Activation(node.scope(), node.tensor(), above, Clamp(0.0, math.inf)),
        Activation(node.scope(), node.tensor(), below, Clamp(-math.inf, 0.0)),
        ChannelAffine(node.scope(), below, scaled, slope.reshape(-1), np.zeros(channels, np.float32)),
        Add(node.scope(), (above, scaled), node.output),
    )


def power(node: NodeReader) -> Draft:
    """Read Pow with one constant exponent."""
    exponent = node.floats(1, "exponent")
    if exponent.size != 1 or exponent.ndim > len(node.shape()) + 1:
        raise UntypedError("an exponent per channel")
    return Unary(node.scope(), "power", node.tensor(), node.output, (float(exponent.reshape(-1)[0]),))
