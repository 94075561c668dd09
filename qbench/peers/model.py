"""What a peer is handed: an ONNX model, and the network and parameters that it was written from.

Most libraries read the ONNX file. Those that do not (LiteRT, torch) are built from the network, its codes and scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qbench.core.tensor import QParams, QTensor
from qbench.errors import ModelError
from qbench.graph import Network, qdq_onnx_bytes, to_onnx_bytes

Weights = Mapping[str, QParams | QTensor]


@dataclass(frozen=True, slots=True, eq=False)
class PeerModel:
    """One model in the forms that peers want.

    Args:
        content: the bytes of an ONNX file: float, or QDQ with u8 activations and s8 weights.
        network: what it was written from; None where only the file is known.
        weights: layer -> codes or parameters; empty in float32.
        activations: tensor -> parameters; empty in float32.
    """

    content: bytes
    network: Network | None = None
    weights: Weights = field(default_factory=dict)
    activations: Mapping[str, QParams] = field(default_factory=dict)

    def known_network(self, peer: str) -> Network:
        """Return the network; raise ModelError in the name of `peer` where only a file is known."""
        if self.network is None:
            raise ModelError(f"{peer}: expected a model with its network, got the bytes of a file alone")
        return self.network


def float_model(network: Network) -> PeerModel:
    """Return a network in float32."""
    return PeerModel(to_onnx_bytes(network), network)


def quantized_model(network: Network, weights: Weights, activations: Mapping[str, QParams]) -> PeerModel:
    """Return a network in int8; raise ModelError when the parameters have no QDQ form (`qbench.graph.writing.qdq`)."""
    return PeerModel(qdq_onnx_bytes(network, weights, activations), network, weights, activations)
