"""A quantized network: what quantization makes, sessions run, files hold, and other libraries are handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qbench.core.spec import LayerSpec
from qbench.core.tensor import QParams, QTensor
from qbench.graph.network import Network
from qbench.graph.nodes import Layer
from qbench.graph.weights import onnx_order


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedNetwork:
    """A network with the codes of its layers and the parameters of its activations; in float32 where it has none.

    Args:
        network: the graph with the biases that it runs with. The float32 weights of quantized layers are those that
            their codes were made of, or nothing where the network was read from a file.
        weights: layer -> codes; layers that are not named keep float32 weights.
        activations: tensor -> parameters; tensors that are not named stay float32.
        specs: layer or attention -> what it was assigned; empty where the network was not quantized here.
        others: what tensors that enter no layer were assigned; None where there are no specs.
        file: path of the quantized file that says all this, "" where it was made here.
        remarks: what stages say of what they did and left out; kept in rows, not in files.
    """

    network: Network
    weights: Mapping[str, QTensor] = field(default_factory=dict)
    activations: Mapping[str, QParams] = field(default_factory=dict)
    specs: Mapping[str, LayerSpec] = field(default_factory=dict)
    others: LayerSpec | None = None
    file: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized."""
        return not self.weights and not self.activations

    def input_token(self, layer: str) -> str:
        """Return what enters a layer, without the leading a: `8t`, or `32` where it stays float32."""
        tensor = next(node.input for node in self.network.layers if node.name == layer)
        found = self.activations.get(self.network.unflattened(tensor))
        return "32" if found is None else found.spec.token

    def dequantized(self) -> Network:
        """Return the network whose quantized layers hold the float32 numbers that their codes stand for."""
        nodes = tuple(
            replace(node, weight=onnx_order(node, self.weights[node.name].dequantize()))
            if isinstance(node, Layer) and node.name in self.weights
            else node
            for node in self.network.nodes
        )
        return replace(self.network, nodes=nodes)
