"""Let a linear layer take in the choice of channels before it: its weights lie in the other order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from qbench.graph.nodes import Linear, Select
from qbench.graph.onnx.draft import Draft, uses


def fold_orders(nodes: Sequence[Draft], *, outputs: Sequence[str], fixed: Collection[str]) -> tuple[Draft, ...]:
    """Return the nodes with every Select that only reorders all channels folded into the one Linear that reads it.

    Args:
        nodes: in topological order.
        outputs: the network's output tensors.
        fixed: weights that must stay as they are.
    """
    count = uses(nodes, outputs)
    kept: dict[str, Draft] = {}
    for node in nodes:
        before = kept.get(node.input) if isinstance(node, Linear) and node.source not in fixed else None
        if not isinstance(node, Linear) or not isinstance(before, Select) or count[node.input] != 1:
            kept[node.output] = node
            continue
        order = np.asarray(before.channels)
        if not np.array_equal(np.sort(order), np.arange(order.size)):
            kept[node.output] = node
            continue
        del kept[node.input]
        weight = np.ascontiguousarray(node.weight[:, np.argsort(order)])
        kept[node.output] = replace(node, input=before.input, weight=weight, source="")
    return tuple(kept.values())
