"""The kinds of nodes a network is made of. Shapes leave the batch out; weights are float32 in ONNX order.

Images are (c, h, w), their channels first; everything else ends in its channels, (tokens, c) or (k,). A node without
weights that speaks of channels means those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from qbench.graph.row_nodes import Attention, Hadamard, ImageNorm, LayerNorm, Recurrent, Softmax, TokenMean

__all__ = ["Attention", "Hadamard", "ImageNorm", "LayerNorm", "Recurrent", "Softmax", "TokenMean"]

Floats = npt.NDArray[np.float32]
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]  # top, left, bottom, right
Shape = tuple[int, ...]  # (c, h, w), (tokens, c) or (k,); FREE where only a run shows the size
Given = Shape | float  # what a caller says of an input: its sizes, or the one number that it always is
PoolKind = Literal["max", "average", "global_average"]
Coordinates = Literal["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
FREE = -1
MOST_ELEMENTS = 2**28
"""The most numbers that a tensor may have per image: 1 GiB of float32."""

PRODUCTS = frozenset((
    "Attention", "Conv", "ConvInteger", "ConvTranspose", "Einsum", "Gemm", "GRU", "Linear", "LSTM", "MatMul",
    "MatMulInteger", "RNN",
))  # fmt: skip
"""What multiplies and adds among a Foreign's operators, those that stand for typed nodes among them."""


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
    """activation(conv(input, weight) + bias + residual); weight is (O, I / groups, kh, kw).

    `source` is the file's name of the weight, "" once folding has changed its numbers.
    """

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
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """activation(input @ weight.T + bias) over the last axis, of one vector or of many; weight is (n, k)."""

    name: str
    input: str
    output: str
    weight: Floats
    bias: Floats
    activation: Clamp | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Add:
    """activation(a + b) of two tensors of one shape, where no convolution could take it in."""

    name: str
    inputs: tuple[str, str]
    output: str
    activation: Clamp | None = None


@dataclass(frozen=True, slots=True)
class Mul:
    """activation(a * b); b has a's shape, or is (c, 1, 1) beside an image (c, h, w)."""

    name: str
    inputs: tuple[str, str]
    output: str
    activation: Clamp | None = None


@dataclass(frozen=True, slots=True)
class Concat:
    """Tensors one after the other along their channels."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True)
class Select:
    """The channels `channels` of a tensor, in that order: slices, splits and channel shuffles.

    -1 stands for a channel of zeros: padding of channels.
    """

    name: str
    input: str
    output: str
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelAffine:
    """activation(x * scale + offset), a number per channel, where no layer could take it in; both float32 (c,)."""

    name: str
    input: str
    output: str
    scale: Floats
    offset: Floats
    activation: Clamp | None = None


@dataclass(frozen=True, slots=True)
class Unary:
    """A function of each number by itself: `function` is a key of `qbench.graph.functions.FUNCTIONS`."""

    name: str
    function: str
    input: str
    output: str
    parameters: tuple[float, ...] = ()


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
class Resize:
    """Every pixel repeated `factors` times down and across: the nearest-neighbour enlargement by whole numbers."""

    name: str
    input: str
    output: str
    factors: Pair


@dataclass(frozen=True, slots=True)
class Interpolate:
    """An image in another size, linear between the four nearest pixels.

    Args:
        name: the node.
        input: images (c, h, w).
        output: images (c, *size).
        size: height and width.
        coordinates: where a pixel of the output lies in the input, ONNX's `coordinate_transformation_mode`.
    """

    name: str
    input: str
    output: str
    size: Pair
    coordinates: Coordinates


@dataclass(frozen=True, slots=True)
class DepthToSpace:
    """(c * block^2, h, w) -> (c, h * block, w * block): each channel's block of numbers becomes a block of pixels.

    Channel c * block^2 + i * block + j goes to row i and column j of the blocks of channel c (ONNX's mode CRD).
    """

    name: str
    input: str
    output: str
    block: int


@dataclass(frozen=True, slots=True)
class Flatten:
    """(c, h, w) -> (c * h * w,), channel slowest as ONNX has it, whatever layout the engine keeps."""

    name: str
    input: str
    output: str


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Operators without a typed node: an ONNX model of their own, for another library to run in float.

    Args:
        name: the node.
        operators: the operators inside, in order.
        inputs: tensors it reads; the model's inputs, in this order.
        outputs: tensors it writes; the model's outputs, in this order.
        model: the serialized ONNX model; its tensors' shapes are with the batch.
        opset: version of its standard operators.
        reasons: why each operator is no typed node: `node 'x' (Op): why`.
    """

    name: str
    operators: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    model: bytes
    opset: int
    reasons: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """The first tensor that it writes."""
        return self.outputs[0]


Layer = Conv | Linear | Recurrent
"""What has weights; those of a Recurrent multiply its own hidden state, so that `input` names what it writes."""
Node = (
    Conv | Linear | Add | Mul | Concat | Select | ChannelAffine | Unary | Activation | Pool | Resize | Interpolate
    | DepthToSpace | Flatten
    | ImageNorm | LayerNorm | Hadamard | Recurrent | Softmax | TokenMean | Attention | Foreign
)  # fmt: skip


def inputs_of(node: Node) -> tuple[str, ...]:
    """Return the tensors that a node reads, a convolution's residual last."""
    match node:
        case Add() | Mul() | Concat() | Foreign():
            return node.inputs
        case Attention():
            return (node.query, node.key, node.value, *([] if node.mask is None else [node.mask]))
        case Conv() if node.residual is not None:
            return (node.input, node.residual)
        case Recurrent():
            return (node.gates, *filter(None, node.first))
        case _:
            return (node.input,)


def outputs_of(node: Node) -> tuple[str, ...]:
    """Return the tensors that a node writes."""
    if isinstance(node, Recurrent):
        return (node.output, node.input, *node.last)
    return node.outputs if isinstance(node, Foreign) else (node.output,)
