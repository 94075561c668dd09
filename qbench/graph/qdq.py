"""Write a `Network` as int8 ONNX in the QDQ form that onnxruntime, OpenVINO and others fuse into integer operators.

Activations are u8 a tensor, weights s8 a channel (or a tensor) on axis 0 behind a lone DequantizeLinear, biases s32
with scale = activation scale * weight scale. Conventions: ONNX QuantizeLinear-13, onnxruntime's QDQ format.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams, QTensor
from qbench.errors import ModelError
from qbench.graph.builder import Builder
from qbench.graph.network import Activation, Add, Clamp, Conv, Flatten, Layer, Linear, Network, Node, Pool
from qbench.graph.qdq_params import activation_scale, tensor_params, weight_codes


def qdq_onnx_bytes(
    network: Network, weight_params: Mapping[str, QParams | QTensor], activation_params: Mapping[str, QParams]
) -> bytes:
    """Return the network as int8 QDQ ONNX.

    Args:
        network: the network.
        weight_params: layer -> signed parameters without a zero point, of at most 8 bits (weights are then rounded to
            nearest), or the codes themselves.
        activation_params: tensor -> unsigned 8-bit parameters. A convolution that takes in a residual needs them for
            its own sum too, under `<layer>:pre_add`. What a maximum pool or a flatten passes on shares its neighbour's.
            The network's output stays float32 unless it has parameters.

    Raises:
        ModelError: when parameters are missing, or the form cannot express them.
    """
    return _Writer(network, weight_params, activation_params).run()


class _Writer:
    """Walks the network once; `self._real` maps a tensor to the output of the DequantizeLinear that stands for it."""

    def __init__(
        self, network: Network, weights: Mapping[str, QParams | QTensor], activations: Mapping[str, QParams]
    ) -> None:
        self._network, self._weights, self._activations = network, weights, activations
        self._builder = Builder(network.name)
        self._real: dict[str, str] = {}
        self._scales: dict[str, float] = {}

    def run(self) -> bytes:
        network = self._network
        self._round_trip(network.input, network.input)
        for node in network.nodes:
            self._round_trip(node.output, self._computed(node, self._before(node.output)))
        shapes = network.shapes
        return self._builder.to_bytes(
            inputs={network.input: network.input_shape}, outputs={network.output: shapes[network.output]},
            metadata=network.metadata,
        )  # fmt: skip

    def _computed(self, node: Node, out: str) -> str:
        """Add the operators of a node; return the float tensor `out` that they write."""
        match node:
            case Conv() | Linear():
                return self._layer(node, out)
            case Add():
                return self._sum(node.inputs, node.activation, out, name=node.name)
            case Activation():
                return self._builder.clamp(node.clamp, self._real[node.input], out, name=node.name)
            case Pool():
                return self._builder.pool(node, self._real[node.input], out)
            case Flatten():
                return self._builder.op("Flatten", [self._real[node.input]], out, name=node.name, axis=1)
            case _:
                raise ModelError(f"qdq: node '{node.name}': {type(node).__name__} has no QDQ form here")

    def _layer(self, node: Layer, out: str) -> str:
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

    def _product(self, node: Layer, inputs: list[str], out: str) -> str:
        if isinstance(node, Conv):
            return self._builder.conv(node, inputs, out)
        return self._builder.op("Gemm", inputs, out, name=node.name, transB=1)

    def _sum(self, sources: tuple[str, str], clamp: Clamp | None, out: str, *, name: str) -> str:
        real = [self._real[source] for source in sources]
        bare = self._builder.op("Add", real, f"{out}:pre_clamp" if clamp else out, name=name)
        return self._builder.clamp(clamp, bare, out, name=f"{name}.clamp") if clamp else bare

    def _constants(self, layer: Layer) -> tuple[str, str]:
        """Add a layer's weight and bias as codes; return the tensors that their DequantizeLinear write."""
        if layer.name not in self._weights:
            raise ModelError(f"qdq: no weight parameters for layer '{layer.name}'")
        codes, scale = weight_codes(layer, self._weights[layer.name])
        bias_scale = (scale.astype(np.float64) * self._scales[layer.input]).astype(np.float32)
        bias = np.rint(layer.bias / bias_scale.astype(np.float64)).clip(-(2**31), 2**31 - 1).astype(np.int32)
        weight = self._dequantized(f"{layer.name}.weight", codes, scale)
        return weight, self._dequantized(f"{layer.name}.bias", bias, bias_scale)

    def _dequantized(self, name: str, codes: npt.NDArray[np.generic], scale: npt.NDArray[np.float32]) -> str:
        inputs = [
            self._builder.constant(f"{name}:codes", codes),
            self._builder.constant(f"{name}:scale", scale),
            self._builder.constant(f"{name}:zero_point", np.zeros(scale.shape, codes.dtype)),
        ]
        return self._builder.op("DequantizeLinear", inputs, f"{name}:real", axis=0)

    def _before(self, tensor: str) -> str:
        """Return the name of a tensor before its QuantizeLinear: its own where it has none."""
        return tensor if self._is_float(tensor) else f"{tensor}:float"

    def _is_float(self, tensor: str) -> bool:
        return tensor == self._network.output and tensor not in self._activations

    def _round_trip(self, tensor: str, source: str) -> None:
        """Add QuantizeLinear and DequantizeLinear, unless the tensor is the network's float output."""
        if self._is_float(tensor):
            return
        scale, zero_point = activation_scale(tensor, tensor_params(self._network, self._activations, tensor))
        self._scales[tensor] = float(scale)
        parameters = [
            self._builder.constant(f"{tensor}:scale", scale),
            self._builder.constant(f"{tensor}:zero_point", zero_point),
        ]
        codes = self._builder.op("QuantizeLinear", [source, *parameters], f"{tensor}:codes")
        real = tensor if tensor == self._network.output else f"{tensor}:real"
        self._real[tensor] = self._builder.op("DequantizeLinear", [codes, *parameters], real)
