"""Merge zero padding that stands as a node of its own into the convolution after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.draft import Draft, ZeroPad, reads, uncovered
from qbench.graph.network import Conv


def merge_padding(nodes: Sequence[Draft], *, output: str) -> tuple[Draft, ...]:
    """Return the nodes without ZeroPad; raise ModelError where something other than a convolution reads one."""
    pads = {node.output: node for node in nodes if isinstance(node, ZeroPad)}
    if output in pads:
        raise uncovered(pads[output].name, "Pad", "expected before a Conv, found at the output")
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, ZeroPad):
            continue
        found = [pads[tensor] for tensor in reads(node) if tensor in pads]
        if found and not isinstance(node, Conv):
            raise uncovered(found[0].name, "Pad", f"expected before a Conv, found before '{node.name}'")
        if found and isinstance(node, Conv):
            top, left, bottom, right = (a + b for a, b in zip(found[0].pads, node.pads, strict=True))
            node = replace(node, input=found[0].input, pads=(top, left, bottom, right))
        kept.append(node)
    return tuple(kept)
