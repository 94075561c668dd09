"""Take out the nodes that change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qbench.graph.draft import Alias, Draft
from qbench.graph.passes.rewire import rewire


def drop_aliases(nodes: Sequence[Draft], *, source: str, output: str) -> tuple[tuple[Draft, ...], str]:
    """Return the nodes without aliases, and the tensor that is now the output.

    Args:
        nodes: in topological order.
        source: the network's input tensor (an alias of it reads as itself).
        output: the network's output tensor.
    """
    true_name: dict[str, str] = {source: source}
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Alias):
            true_name[node.output] = true_name.get(node.input, node.input)
        else:
            kept.append(rewire(node, true_name))
    return tuple(kept), true_name.get(output, output)
