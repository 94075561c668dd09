"""Join windows of one pixel: rows are often taken by one Slice and columns by the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Pool
from qbench.graph.onnx.draft import Draft, uses


def merge_strides(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with every maximum over single pixels merged into another that alone reads it."""
    count = uses(nodes, outputs)
    kept: dict[str, Draft] = {}
    for node in nodes:
        before = kept.get(node.input) if isinstance(node, Pool) and _is_strided(node) else None
        if isinstance(node, Pool) and isinstance(before, Pool) and _is_strided(before) and count[node.input] == 1:
            del kept[node.input]
            strides = (before.strides[0] * node.strides[0], before.strides[1] * node.strides[1])
            kept[node.output] = replace(before, output=node.output, strides=strides)
        else:
            kept[node.output] = node
    return tuple(kept.values())


def _is_strided(node: Draft) -> bool:
    return isinstance(node, Pool) and (node.kind, node.kernel, node.pads) == ("max", (1, 1), (0, 0, 0, 0))
