"""Take out the nodes that change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qbench.graph.onnx.draft import Alias, Draft
from qbench.graph.passes.rewire import rewire


def drop_aliases(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[tuple[Draft, ...], tuple[str, ...]]:
    """Return the nodes without aliases, and the tensors that are now the outputs.

    Args:
        nodes: in topological order.
        outputs: the network's output tensors.
    """
    true_name: dict[str, str] = {}
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Alias):
            true_name[node.output] = true_name.get(node.input, node.input)
        else:
            kept.append(rewire(node, true_name))
    return tuple(kept), tuple(true_name.get(output, output) for output in outputs)
