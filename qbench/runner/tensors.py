"""Which tensor it is that a layer reads: flattening gives numbers another shape and no other codes."""

from __future__ import annotations

from qbench.graph import Flatten, Network


def unflattened(network: Network, tensor: str) -> str:
    """Return the tensor whose numbers `tensor` holds in another shape, or `tensor` itself."""
    flat = {node.output: node.input for node in network.nodes if isinstance(node, Flatten)}
    while tensor in flat:
        tensor = flat[tensor]
    return tensor
