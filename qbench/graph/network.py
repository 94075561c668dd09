"""A network as typed nodes between named tensors: what the engine, the writers and the tables read.

No ONNX and no arithmetic here; the kinds of nodes are in `qbench.graph.nodes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from qbench.graph.nodes import (
    FREE,
    Activation,
    Add,
    Attention,
    ChannelAffine,
    Clamp,
    Concat,
    Conv,
    DepthToSpace,
    Flatten,
    Floats,
    Foreign,
    Hadamard,
    ImageNorm,
    Interpolate,
    Layer,
    LayerNorm,
    Linear,
    Mul,
    Node,
    Pads,
    Pair,
    Pool,
    PoolKind,
    Recurrent,
    Resize,
    Select,
    Shape,
    Softmax,
    TokenMean,
    Unary,
    inputs_of,
    outputs_of,
)

__all__ = [
    "FREE",
    "Activation",
    "Add",
    "Attention",
    "ChannelAffine",
    "Clamp",
    "Concat",
    "Conv",
    "DepthToSpace",
    "Flatten",
    "Floats",
    "Foreign",
    "Hadamard",
    "ImageNorm",
    "Interpolate",
    "Layer",
    "LayerNorm",
    "Linear",
    "Mul",
    "Network",
    "Node",
    "Pads",
    "Pair",
    "Pool",
    "PoolKind",
    "Recurrent",
    "Resize",
    "Select",
    "Shape",
    "Softmax",
    "TokenMean",
    "Unary",
    "inputs_of",
    "outputs_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Nodes in an order in which they can run.

    Args:
        name: the file's stem.
        input: name of the first input tensor.
        input_shape: its shape: (c, h, w) of images.
        output: name of the first output tensor.
        nodes: in topological order; every tensor but the ends has the name of the node that writes it.
        shapes: shape of every tensor without its batch, FREE (-1) where only a run shows a size.
        metadata: the file's own facts, e.g. `top1_percent`.
        sha256: of the file (with those that hold its weights outside it, and with the shapes that it was read for).
        inputs: names of all inputs; one where it is left out.
        outputs: names of all outputs; one where it is left out.
        dtypes: numpy's name of the type of every tensor that is not float32.
        unbatched: tensors whose first axis is not the batch; their shapes are whole.
        batch: the batch that the file is fixed to, None where any will do.
    """

    name: str
    input: str
    input_shape: Shape
    output: str
    nodes: tuple[Node, ...]
    shapes: dict[str, Shape]
    metadata: dict[str, str]
    sha256: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    dtypes: dict[str, str] = field(default_factory=dict)
    unbatched: frozenset[str] = frozenset()
    batch: int | None = None

    def __post_init__(self) -> None:
        """Let a network of one input and one output be given by these alone."""
        object.__setattr__(self, "inputs", self.inputs or ((self.input,) if self.input else ()))
        object.__setattr__(self, "outputs", self.outputs or (self.output,))

    @property
    def answer(self) -> str:
        """Name of the output that is scored: the first of floats, or the first where all are other numbers.

        Ids or a mask that a file passes on say nothing of the network.
        """
        floats = (tensor for tensor in self.outputs if "float" in self.dtypes.get(tensor, "float32"))
        return next(floats, self.output)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The nodes that have weights, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Layer))

    @property
    def foreign(self) -> tuple[Foreign, ...]:
        """The nodes that another library runs, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Foreign))

    def node(self, name: str) -> Node:
        """Return the node called `name`; raise KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Return the nodes that read a tensor, in order."""
        return tuple(node for node in self.nodes if tensor in inputs_of(node))

    def unflattened(self, tensor: str) -> str:
        """Return the tensor whose numbers `tensor` holds in another shape, or `tensor` itself."""
        flat = {node.output: node.input for node in self.nodes if isinstance(node, Flatten)}
        while tensor in flat:
            tensor = flat[tensor]
        return tensor

    def operations(self, name: str) -> int:
        """Return a node's operations per image: two per multiply-add; fused bias, residual and clamp count nothing.

        A free size counts as 1; what a Foreign computes is not known and counts nothing.
        """
        node = self.node(name)
        elements = math.prod([abs(size) for size in self.shapes[node.output]])
        match node:
            case Conv():
                return 2 * elements * math.prod(node.weight.shape[1:])
            case Linear():
                return 2 * elements * int(node.weight.shape[1])
            case Recurrent():
                return 2 * elements * len(node.weight)
            case Pool():
                return elements * math.prod(node.kernel)
            case Attention():
                return 4 * elements * abs(self.shapes[node.key][0]) // node.windows
            case Hadamard():
                return elements * (node.block.bit_length() - 1)
            case Flatten() | Foreign() | Concat() | Select() | Resize() | DepthToSpace():
                return 0
            case _:
                return elements
