"""Which of the plans a network takes."""

from __future__ import annotations

from qbench.graph.network import Network, outputs_of


def has_tokens(network: Network) -> bool:
    """Whether a network is one for this plan: it reads whole numbers, or some node writes a vector for each token."""
    if len(network.inputs) != 1:
        return False
    return network.input in network.dtypes or any(
        len(network.shapes[t]) == 2 for n in network.nodes for t in outputs_of(n)
    )
