"""Join a choice of channels with the zeros that were put beside them just before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Select
from qbench.graph.onnx.draft import Draft, uses


def merge_zeros(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with every Select that adds zeros merged into another that alone reads it."""
    count = uses(nodes, outputs)
    kept: dict[str, Draft] = {}
    for node in nodes:
        before = kept.get(node.input) if isinstance(node, Select) else None
        if isinstance(node, Select) and isinstance(before, Select) and _may_join(before, count[node.input]):
            del kept[node.input]
            channels = tuple(before.channels[channel] if channel >= 0 else -1 for channel in node.channels)
            kept[node.output] = replace(node, input=before.input, channels=channels)
        else:
            kept[node.output] = node
    return tuple(kept.values())


def _may_join(before: Select, readers: int) -> bool:
    return min(before.channels) < 0 and readers == 1
