"""Scale and zero point of a tensor for libraries whose maximum pools cannot rescale: they read and write one law."""

from __future__ import annotations

from collections.abc import Mapping

from qbench.core.tensor import QParams
from qbench.graph import Network, Node, Pool
from qbench.graph.writing.qdq_params import activation_scale, tensor_params


def shared_law(network: Network, activations: Mapping[str, QParams], tensor: str) -> tuple[float, int]:
    """Return scale and u8 zero point of a tensor; both sides of a maximum pool have the same.

    Rounding and clipping keep order, so the maximum of codes is the code of the maximum: what only a pool reads takes
    the law of its output, and nothing else changes. Where others read it too, its own law holds on both sides.
    """
    scale, zero_point = activation_scale(tensor, tensor_params(network, activations, _owner(network, tensor)))
    return float(scale), int(zero_point)


def _owner(network: Network, tensor: str) -> str:
    """Return the tensor whose parameters hold for `tensor`."""
    readers = network.consumers(tensor)
    if len(readers) == 1 and _is_maximum(readers[0]):
        return _owner(network, readers[0].output)
    writer = next((node for node in network.nodes if node.output == tensor and _is_maximum(node)), None)
    if isinstance(writer, Pool) and len(network.consumers(writer.input)) > 1:
        return writer.input
    return tensor


def _is_maximum(node: Node) -> bool:
    return isinstance(node, Pool) and node.kind == "max"
