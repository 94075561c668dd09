"""A quantized network as a TensorFlow Lite file: full-integer operators on int8, NHWC, with qbench's own scales.

Its activations are int8: codes and zero points of u8 move down by 128, which changes no product. Logits have no scale
(no peer's have), so the classifier takes float32 and quantizes each row itself, as LiteRT's dynamic range models do.
Padding that is not TensorFlow's SAME is a PAD of its own, which XNNPACK takes into the convolution.
"""

from __future__ import annotations

import math

import numpy as np

from qbench.errors import ModelError
from qbench.graph import (
    Activation,
    Add,
    Clamp,
    Conv,
    Flatten,
    Linear,
    Node,
    Pool,
    QuantizedNetwork,
    Select,
    is_depthwise,
)
from qbench.graph.network import Pads, Pair
from qbench.graph.shapes import same_pads
from qbench.graph.writing.qdq_params import weight_codes, with_bias
from qbench.peers.laws import shared_law
from qbench.peers.tflite.file import TfliteFile

_SHIFT = 128
_SAME, _VALID = 0, 1
FUSED = {None: 0, Clamp(0.0, float("inf")): 1, Clamp(0.0, 6.0): 3}


def tflite_bytes(quantized: QuantizedNetwork, *, batch: int, name: str) -> bytes:
    """Return a quantized network as a TensorFlow Lite file for float32 images (batch, h, w, c).

    Raises:
        ModelError: in the name of the peer `name`, when a node or its parameters have no such form.
    """
    return _Writer(quantized, batch, name).run()


class _Writer:
    """Walks the network once; `_tensors` maps its tensors to those of the file."""

    def __init__(self, quantized: QuantizedNetwork, batch: int, name: str) -> None:
        self._network, self._weights, self._activations = quantized.network, quantized.weights, quantized.activations
        self._batch, self._name = batch, name
        self._file = TfliteFile()
        self._tensors: dict[str, int] = {}
        self._laws: dict[str, tuple[float, int]] = {}

    def run(self) -> bytes:
        network, file = self._network, self._file
        if len(network.input_shape) != 3:
            raise ModelError(f"{self._name}: expected images (c, h, w) as input, got {network.input_shape}")
        channels, height, width = network.input_shape
        images = file.tensor("float_images", (self._batch, height, width, channels), "FLOAT32")
        file.operator("QUANTIZE", [images], self._codes(network.input))
        for node in network.nodes:
            self._add(node)
        return file.to_bytes(images, self._tensors[network.answer])

    def _add(self, node: Node) -> None:
        match node:
            case Conv():
                self._conv(node)
            case Linear():
                self._linear(node)
            case Add():
                self._sum(node.inputs, node.output, node.activation)
            case Pool():
                self._pool(node)
            case Flatten() if self._network.shapes[node.input][1:] == (1, 1):
                self._flatten(node)
            case Select() if _kept(node) == list(range(self._network.shapes[node.input][0])):
                self._zeros_beside(node)
            case Activation() if node.clamp in FUSED:
                raise self._refused(node, "expected its clamp to be fused into the layer before it")
            case _:
                raise self._refused(node, "it has no form in int8 here")

    def _refused(self, node: Node, why: str) -> ModelError:
        return ModelError(f"{self._name}: expected a model that LiteRT can hold, got node '{node.name}': {why}")

    def _fused(self, node: Node, clamp: Clamp | None, tensor: str = "") -> int:
        """Return LiteRT's number of a clamp; one that ends where the codes of `tensor` do is a relu."""
        if clamp is not None and clamp not in FUSED and clamp.low == 0 and tensor in self._activations:
            scale, zero_point = self._law(tensor)
            clamp = Clamp(0.0, math.inf) if clamp.high >= (scale * (127 - zero_point)) * (1 - 1e-6) else clamp
        if clamp not in FUSED:
            raise self._refused(node, f"a clamp to {clamp.low} .. {clamp.high}" if clamp else "")
        return FUSED[clamp]

    def _law(self, tensor: str) -> tuple[float, int]:
        """Return scale and int8 zero point of a tensor."""
        if tensor not in self._laws:
            scale, zero_point = shared_law(self._network, self._activations, tensor)
            self._laws[tensor] = (scale, zero_point - _SHIFT)
        return self._laws[tensor]

    def _shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's NHWC shape; `<name>:pre_add` has that of the layer's output."""
        shape = self._network.shapes[tensor.removesuffix(":pre_add")]
        return (self._batch, *shape[1:], shape[0]) if len(shape) == 3 else (self._batch, *shape)

    def _codes(self, tensor: str, shape: tuple[int, ...] | None = None, *, like: str = "") -> int:
        """Add an int8 tensor of a network's tensor and return its number."""
        law = self._file.quantization(*self._law(like or tensor))
        self._tensors[tensor] = self._file.tensor(tensor, shape or self._shape(tensor), "INT8", params=law)
        return self._tensors[tensor]

    def _conv(self, node: Conv) -> None:
        depthwise = is_depthwise(node)
        if node.groups > 1 and not depthwise:
            raise self._refused(node, f"a convolution in {node.groups} groups")
        codes, scale, bias, bias_scale = with_bias(node, self._weights[node.name], self._law(node.input)[0])
        ohwi = codes.transpose(0, 2, 3, 1)
        data = np.moveaxis(ohwi, 0, 3).reshape(1, *node.weight.shape[2:], -1) if depthwise else ohwi
        weight = self._file.tensor(
            f"{node.name}.weight", data.shape, "INT8", data=data,
            params=self._file.quantization(np.broadcast_to(scale, len(codes)), 0, axis=3 if depthwise else 0),
        )  # fmt: skip
        kernel = (node.weight.shape[2], node.weight.shape[3])
        source, padding = self._padded(node.input, node.pads, kernel, node.strides, node.dilations)
        target = node.output if node.residual is None else f"{node.name}:pre_add"
        geometry = {
            "padding": padding, "strideH": node.strides[0], "strideW": node.strides[1],
            "dilationHFactor": node.dilations[0], "dilationWFactor": node.dilations[1],
            "fusedActivationFunction": self._fused(node, node.activation, target) if node.residual is None else 0,
        }  # fmt: skip
        if depthwise:
            geometry["depthMultiplier"] = len(codes) // node.groups
        params = self._file.quantization(np.broadcast_to(bias_scale, len(codes)), 0)
        held = self._file.tensor(f"{node.name}.bias", bias.shape, "INT32", params=params, data=bias)
        inputs = [source, weight, held]
        self._file.operator("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, self._codes(target), **geometry)
        if node.residual is not None:
            self._sum((target, node.residual), node.output, node.activation, node=node)

    def _padded(
        self, tensor: str, pads: Pads, kernel: Pair, strides: Pair, dilations: Pair = (1, 1)
    ) -> tuple[int, int]:
        """Return a window's input and its padding word, with a PAD before it where SAME is something else."""
        _, height, width = self._network.shapes[tensor]
        source = self._tensors[tensor]
        if not any(pads):
            return source, _VALID
        if pads == same_pads((height, width), kernel=kernel, strides=strides, dilations=dilations, upper=True):
            return source, _SAME
        top, left, bottom, right = pads
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        given = self._file.tensor(f"{tensor}.pads{len(self._tensors)}", amounts.shape, "INT32", data=amounts)
        batch, _, _, channels = self._shape(tensor)
        wide = (batch, height + top + bottom, width + left + right, channels)
        padded = self._codes(f"{tensor}:padded{len(self._tensors)}", wide, like=tensor)
        return self._file.operator("PAD", [source, given], padded), _VALID

    def _linear(self, node: Linear) -> None:
        """Add DEQUANTIZE and a FULLY_CONNECTED that quantizes its rows and writes float32."""
        if node.output != self._network.output:
            raise self._refused(node, "a Linear that is not the classifier")
        codes, scale = weight_codes(node, self._weights[node.name])
        real = self._file.tensor(f"{node.input}:real", self._shape(node.input), "FLOAT32")
        self._file.operator("DEQUANTIZE", [self._tensors[node.input]], real)
        params = self._file.quantization(np.broadcast_to(scale, len(codes)), 0)
        weight = self._file.tensor(f"{node.name}.weight", codes.shape, "INT8", params=params, data=codes)
        bias = self._file.tensor(f"{node.name}.bias", node.bias.shape, "FLOAT32", data=node.bias)
        logits = self._file.tensor(node.output, self._shape(node.output), "FLOAT32")
        fused = FUSED.get(node.activation)
        found = self._file.operator(
            "FULLY_CONNECTED",
            [real, weight, bias],
            logits,
            asymmetricQuantizeInputs=True,
            fusedActivationFunction=fused or 0,
        )
        self._tensors[node.output] = found if fused is not None else self._kept_within(node, found)

    def _kept_within(self, node: Linear, source: int) -> int:
        """Clamp logits by operators of their own: no fused clamp has these ends."""
        assert node.activation is not None
        for op, end in (("MAXIMUM", node.activation.low), ("MINIMUM", node.activation.high)):
            name = f"{node.name}.{op.lower()}"
            bound = self._file.tensor(f"{name}.end", (1,), "FLOAT32", data=np.array([end], np.float32))
            target = self._file.tensor(name, self._shape(node.output), "FLOAT32")
            source = self._file.operator(op, [source, bound], target)
        return source

    def _sum(self, sources: tuple[str, str], output: str, clamp: Clamp | None, *, node: Node | None = None) -> None:
        inputs = [self._tensors[source] for source in sources]
        fused = self._fused(node or self._network.node(output), clamp, output)
        self._file.operator("ADD", inputs, self._codes(output), fusedActivationFunction=fused)

    def _pool(self, node: Pool) -> None:
        if node.kind == "global_average":
            axes = self._file.tensor(f"{node.name}.axes", (2,), "INT32", data=np.array([1, 2], np.int32))
            self._file.operator("MEAN", [self._tensors[node.input], axes], self._codes(node.output), keepDims=True)
            return
        if node.kind == "average" and any(node.pads):
            raise self._refused(node, "a mean with padding")
        if node.kind == "max" and any(node.pads) and self._law(node.input)[1] != -_SHIFT:
            raise self._refused(node, "a maximum with padding over numbers below zero")
        source, padding = self._padded(node.input, node.pads, node.kernel, node.strides)
        same_law = self._law(node.input) == self._law(node.output)
        target = node.output if same_law else f"{node.output}:before"
        pooled = self._codes(target, self._shape(node.output), like=node.input)
        self._file.operator(
            "MAX_POOL_2D" if node.kind == "max" else "AVERAGE_POOL_2D", [source], pooled,
            padding=padding, strideH=node.strides[0], strideW=node.strides[1],
            filterHeight=node.kernel[0], filterWidth=node.kernel[1],
        )  # fmt: skip
        if not same_law:
            self._file.operator("QUANTIZE", [pooled], self._codes(node.output))

    def _zeros_beside(self, node: Select) -> None:
        """Add a PAD of channels: of zeros, whose code is the zero point, beside all channels of the input."""
        before = next(index for index, channel in enumerate(node.channels) if channel >= 0)
        count = len(_kept(node))
        amounts = np.array([[0, 0], [0, 0], [0, 0], [before, len(node.channels) - count - before]], np.int32)
        given = self._file.tensor(f"{node.name}.pads", amounts.shape, "INT32", data=amounts)
        same_law = self._law(node.input) == self._law(node.output)
        target = node.output if same_law else f"{node.output}:before"
        padded = self._codes(target, self._shape(node.output), like=node.input)
        self._file.operator("PAD", [self._tensors[node.input], given], padded)
        if not same_law:
            self._file.operator("QUANTIZE", [padded], self._codes(node.output))

    def _flatten(self, node: Flatten) -> None:
        shape = self._shape(node.output)
        given = self._file.tensor(f"{node.name}.shape", (2,), "INT32", data=np.array(shape, np.int32))
        inputs = [self._tensors[node.input], given]
        self._file.operator("RESHAPE", inputs, self._codes(node.output, like=node.input), newShape=list(shape))


def _kept(node: Select) -> list[int]:
    """Return the channels that a Select takes from its input, where they stand together, else nothing."""
    kept = [channel for channel in node.channels if channel >= 0]
    first = next((index for index, channel in enumerate(node.channels) if channel >= 0), 0)
    return kept if list(node.channels[first : first + len(kept)]) == kept else []
