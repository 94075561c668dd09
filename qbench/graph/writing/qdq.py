"""Write a `Network` as int8 ONNX in the QDQ form that onnxruntime, OpenVINO and others fuse into integer operators.

Activations are u8 per tensor, weights s8 per channel (or per tensor) on axis 0 behind a lone DequantizeLinear, biases
s32 with scale = activation scale * weight scale. Conventions: ONNX QuantizeLinear-13, onnxruntime's QDQ format.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph.network import Network
from qbench.graph.nodes import (
    Activation,
    Add,
    Attention,
    Clamp,
    Conv,
    Flatten,
    Foreign,
    Hadamard,
    ImageNorm,
    Layer,
    LayerNorm,
    Linear,
    Mul,
    Node,
    Pool,
    Recurrent,
    Softmax,
    inputs_of,
    outputs_of,
)
from qbench.graph.passes.rewire import rewire
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.writing.builder import Builder
from qbench.graph.writing.qdq_params import activation_scale, tensor_params, weight_codes, with_bias
from qbench.graph.writing.write import opset_of
from qbench.graph.writing.write_other import write_other
from qbench.graph.writing.write_recurrent import feeders, write_recurrent


def qdq_onnx_bytes(quantized: QuantizedNetwork) -> bytes:
    """Return a quantized network as int8 QDQ ONNX.

    Args:
        quantized: every layer has signed codes without a zero point, of at most 8 bits; activations have unsigned 8-bit
            parameters. A convolution that takes in a residual needs them for its own sum too, under
            `<layer>:pre_add`. What a maximum pool or a flatten passes on shares its neighbour's. The network's output
            stays float32 unless it has parameters.

    Raises:
        ModelError: when parameters are missing, or the form cannot express them.
    """
    return _Writer(quantized).run()


class _Writer:
    """Walks the network once; `self._real` maps a tensor to the output of the DequantizeLinear that stands for it."""

    def __init__(self, quantized: QuantizedNetwork) -> None:
        network, activations = quantized.network, quantized.activations
        self._network, self._weights, self._activations = network, quantized.weights, activations
        self._builder = Builder(network.name, opset=opset_of(network))
        self._real: dict[str, str] = {}
        self._free = _without_codes(network) - activations.keys()
        self._scales: dict[str, float] = {}

    def run(self) -> bytes:
        network, shapes = self._network, self._network.shapes
        for name in network.inputs:
            self._round_trip(name, name)
        fed = feeders(network)
        for node in network.nodes:
            if isinstance(node, Foreign):
                self._foreign(node)
            elif isinstance(node, Recurrent):
                self._recurrent(node, fed.get(node.gates))
            elif node.name in {linear.name for linear in fed.values()}:
                continue  # it is in the operator of the recurrence
            else:
                self._round_trip(node.output, self._computed(node, self._before(node.output)))
        return self._builder.to_bytes(
            inputs={name: shapes[name] for name in network.inputs},
            outputs={name: shapes[name] for name in network.outputs},
            metadata=network.metadata, dtypes=network.dtypes, unbatched=network.unbatched,
        )  # fmt: skip

    def _foreign(self, node: Foreign) -> None:
        """Add the operators of a Foreign between the float forms of what it reads and writes."""
        before = {tensor: self._before(tensor) for tensor in node.outputs}
        self._builder.foreign(rewire(node, {**{t: self._real[t] for t in node.inputs}, **before}))
        for tensor in node.outputs:
            self._round_trip(tensor, before[tensor])

    def _recurrent(self, node: Recurrent, feeder: Linear | None) -> None:
        """Add a recurrence as the float operator that libraries have, its weights being what their codes stand for."""
        weights = {
            name: self._weights[name].dequantize()
            for name in (node.name, *([] if feeder is None else [feeder.name]))
            if name in self._weights
        }
        written = (node.output, *node.last)
        before = {tensor: self._before(tensor) for tensor in written}
        real = {tensor: self._real[tensor] for tensor in inputs_of(node) if tensor in self._real}
        moved = feeder and replace(feeder, input=self._real[feeder.input])
        write_recurrent(self._builder, rewire(node, {**real, **before}), moved, weights=weights)
        for tensor in written:
            self._round_trip(tensor, before[tensor])

    def _other(self, node: Node, out: str) -> str:
        """Add a node that has no integer form of its own: float between quantized tensors."""
        names = {tensor: self._real[tensor] for tensor in inputs_of(node)}
        shapes = {real: self._network.shapes[tensor] for tensor, real in names.items()}
        moved = rewire(node, {**names, node.output: out})
        write_other(self._builder, moved, {**shapes, out: self._network.shapes[node.output]})
        return out

    def _computed(self, node: Node, out: str) -> str:
        """Add the operators of a node; return the float tensor `out` that they write."""
        match node:
            case Conv() | Linear():
                return self._layer(node, out)
            case Add() | Mul():
                return self._sum(node.inputs, node.activation, out, name=node.name, op=type(node).__name__)
            case Activation():
                return self._builder.clamp(node.clamp, self._real[node.input], out, name=node.name)
            case Pool():
                return self._builder.pool(node, self._real[node.input], out)
            case Flatten():
                return self._builder.op("Flatten", [self._real[node.input]], out, name=node.name, axis=1)
            case _:
                return self._other(node, out)

    def _layer(self, node: Conv | Linear, out: str) -> str:
        if node.name not in self._weights:
            raise ModelError(f"qdq: no weight parameters for layer '{node.name}'")
        if node.input not in self._scales:
            raise ModelError(f"qdq: no activation parameters for tensor '{node.input}'")
        if isinstance(node, Linear) and len(self._network.shapes[node.input]) > 1:
            return self._tokens(node, out)
        inputs = [self._real[node.input], *self._constants(node)]
        residual = node.residual if isinstance(node, Conv) else None
        if residual is not None:
            own = f"{node.name}:pre_add"
            self._product(node, inputs, self._before(own))
            self._round_trip(own, self._before(own))
            return self._sum((own, residual), node.activation, out, name=f"{node.name}.add")
        clamp = node.activation
        bare = self._product(node, inputs, f"{out}:pre_clamp" if clamp else out)
        return self._builder.clamp(clamp, bare, out, name=f"{node.name}.clamp") if clamp else bare

    def _tokens(self, node: Linear, out: str) -> str:
        """Add a Linear over tokens: a MatMul with codes (k, n), and its bias in float, as onnxruntime fuses them."""
        codes, scale = weight_codes(node, self._weights[node.name])
        weight = self._dequantized(f"{node.name}.weight", np.ascontiguousarray(codes.T), scale, axis=1)
        product = self._builder.op("MatMul", [self._real[node.input], weight], f"{out}:pre_bias", name=node.name)
        bias = self._builder.constant(f"{node.name}.bias", node.bias)
        summed = f"{out}:pre_clamp" if node.activation else out
        self._builder.op("Add", [product, bias], summed, name=f"{node.name}.bias")
        return (
            self._builder.clamp(node.activation, summed, out, name=f"{node.name}.clamp") if node.activation else summed
        )

    def _product(self, node: Conv | Linear, inputs: list[str], out: str) -> str:
        if isinstance(node, Conv):
            return self._builder.conv(node, inputs, out)
        return self._builder.op("Gemm", inputs, out, name=node.name, transB=1)

    def _sum(self, sources: tuple[str, str], clamp: Clamp | None, out: str, *, name: str, op: str = "Add") -> str:
        real = [self._real[source] for source in sources]
        bare = self._builder.op(op, real, f"{out}:pre_clamp" if clamp else out, name=name)
        return self._builder.clamp(clamp, bare, out, name=f"{name}.clamp") if clamp else bare

    def _constants(self, layer: Layer) -> tuple[str, str]:
        """Add a layer's weight and bias as codes; return the tensors that their DequantizeLinear write."""
        codes, scale, bias, bias_scale = with_bias(layer, self._weights[layer.name], self._scales[layer.input])
        weight = self._dequantized(f"{layer.name}.weight", codes, scale)
        return weight, self._dequantized(f"{layer.name}.bias", bias, bias_scale)

    def _dequantized(
        self, name: str, codes: npt.NDArray[np.generic], scale: npt.NDArray[np.float32], *, axis: int = 0
    ) -> str:
        inputs = [
            self._builder.constant(f"{name}:codes", codes),
            self._builder.constant(f"{name}:scale", scale),
            self._builder.constant(f"{name}:zero_point", np.zeros(scale.shape, codes.dtype)),
        ]
        return self._builder.op("DequantizeLinear", inputs, f"{name}:real", axis=axis)

    def _before(self, tensor: str) -> str:
        """Return the name of a tensor before its QuantizeLinear: its own where it has none."""
        return tensor if self._is_float(tensor) else f"{tensor}:float"

    def _is_float(self, tensor: str) -> bool:
        """Whether a tensor is not quantized: it is no float, or has no parameters and is an output or never a code."""
        if tensor in self._network.dtypes or tensor in self._free:
            return True
        return tensor in self._network.outputs and tensor not in self._activations

    def _round_trip(self, tensor: str, source: str) -> None:
        """Add QuantizeLinear and DequantizeLinear, unless the tensor is the network's float output."""
        if self._is_float(tensor):
            self._real[tensor] = source
            return
        scale, zero_point = activation_scale(tensor, tensor_params(self._network, self._activations, tensor))
        self._scales[tensor] = float(scale)
        parameters = [
            self._builder.constant(f"{tensor}:scale", scale),
            self._builder.constant(f"{tensor}:zero_point", zero_point),
        ]
        codes = self._builder.op("QuantizeLinear", [source, *parameters], f"{tensor}:codes")
        real = tensor if tensor in self._network.outputs else f"{tensor}:real"
        name = f"{tensor}:dequantize" if real == tensor else ""  # a layer may have the name of what it writes
        self._real[tensor] = self._builder.op("DequantizeLinear", [codes, *parameters], real, name=name)


def _without_codes(network: Network) -> set[str]:
    """Return the tensors that may stay float32: what float operators write, and what only they read.

    In networks over tokens that is whatever enters no layer: sums, and what a layer norm or a gelu reads, are float32
    there in every library's own quantization.
    """
    floats = (Foreign, ImageNorm, LayerNorm, Hadamard, Softmax, Attention)
    found = {tensor for node in network.nodes if isinstance(node, floats) for tensor in outputs_of(node)}
    has_tokens = any(len(network.shapes[tensor]) == 2 for node in network.nodes for tensor in outputs_of(node))
    for tensor in network.shapes:
        readers = network.consumers(tensor)
        if readers and all(isinstance(reader, floats) for reader in readers):
            found.add(tensor)
        if has_tokens and not any(isinstance(reader, Layer) for reader in readers):
            found.add(tensor)
    return found
