"""Which of the plans a network takes."""

from __future__ import annotations

from qbench.graph.network import Network, outputs_of


def has_tokens(network: Network) -> bool:
    """Whether a network takes the plan of tokens: it reads whole numbers, or a node writes a vector for each token."""
    if len(network.inputs) != 1:
        return False
    return network.input in network.dtypes or any(
        len(network.shapes[t]) == 2 for n in network.nodes for t in outputs_of(n)
    )
