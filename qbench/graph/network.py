"""A network as typed nodes between named tensors. Shapes leave the batch out; weights are float32 in ONNX order.

No ONNX and no arithmetic here: this is what the engine, the writers and the tables read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]  # top, left, bottom, right
Shape = tuple[int, ...]  # (c, h, w) or (k,)
PoolKind = Literal["max", "average", "global_average"]


@dataclass(frozen=True, slots=True)
class Clamp:
    """min(max(x, low), high): a relu is Clamp(0, inf), a relu6 Clamp(0, 6)."""

    low: float
    high: float

    def then(self, after: Clamp) -> Clamp:
        """Return the clamp that does this one, then `after`."""
        low = min(max(self.low, after.low), after.high)
        return Clamp(low, max(min(self.high, after.high), after.low))


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """activation(conv(input, weight) + bias + residual); weight is (O, I / groups, kh, kw)."""

    name: str
    input: str
    output: str
    weight: Floats
    bias: Floats
    strides: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    dilations: Pair = (1, 1)
    groups: int = 1
    activation: Clamp | None = None
    residual: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """activation(input @ weight.T + bias); weight is (n, k)."""

    name: str
    input: str
    output: str
    weight: Floats
    bias: Floats
    activation: Clamp | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """activation(a + b) of two tensors of one shape, where no convolution could take it in."""

    name: str
    inputs: tuple[str, str]
    output: str
    activation: Clamp | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """A clamp that no node before it could take in."""

    name: str
    input: str
    output: str
    clamp: Clamp


@dataclass(frozen=True, slots=True)
class Pool:
    """A maximum or mean over windows; padding counts in a mean only where `count_include_pad` says so."""

    name: str
    kind: PoolKind
    input: str
    output: str
    kernel: Pair
    strides: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    count_include_pad: bool = False


@dataclass(frozen=True, slots=True)
class Flatten:
    """(c, h, w) -> (c * h * w,), channel slowest as ONNX has it, whatever layout the engine keeps."""

    name: str
    input: str
    output: str


Node = Conv | Linear | Add | Activation | Pool | Flatten
Layer = Conv | Linear


def inputs_of(node: Node) -> tuple[str, ...]:
    """Return the tensors that a node reads, a convolution's residual last."""
    if isinstance(node, Add):
        return node.inputs
    if isinstance(node, Conv) and node.residual is not None:
        return (node.input, node.residual)
    return (node.input,)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Nodes in an order in which they can run, from one input to one output.

    Args:
        name: the file's stem.
        input: name of the input tensor.
        input_shape: (c, h, w).
        output: name of the output tensor.
        nodes: in topological order; every tensor but the two ends bears the name of the node that writes it.
        shapes: shape of every tensor without its batch.
        metadata: the file's own facts, e.g. `top1_percent`.
        sha256: of the file (and of the files that hold its weights, where they lie outside it).
    """

    name: str
    input: str
    input_shape: tuple[int, int, int]
    output: str
    nodes: tuple[Node, ...]
    shapes: dict[str, Shape]
    metadata: dict[str, str]
    sha256: str

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The nodes that have weights, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Conv | Linear))

    def node(self, name: str) -> Node:
        """Return the node called `name`; raise KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Return the nodes that read a tensor, in order."""
        return tuple(node for node in self.nodes if tensor in inputs_of(node))

    def operations(self, name: str) -> int:
        """Return a node's operations an image: two a multiply-add; fused bias, residual and clamp count nothing."""
        node = self.node(name)
        elements = math.prod(self.shapes[node.output])
        match node:
            case Conv():
                return 2 * elements * math.prod(node.weight.shape[1:])
            case Linear():
                return 2 * node.weight.size
            case Pool():
                return elements * math.prod(node.kernel)
            case Flatten():
                return 0
            case _:
                return elements
