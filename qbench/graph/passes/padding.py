"""Merge zero padding that stands as a node of its own into the convolutions after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Conv
from qbench.graph.onnx.draft import Draft, ZeroPad, reads


def merge_padding(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with every ZeroPad merged into the convolutions that read it, where nothing else does."""
    pads = {node.output: node for node in nodes if isinstance(node, ZeroPad) and node.output not in outputs}
    for node in nodes:
        for tensor in reads(node):
            if tensor in pads and not (isinstance(node, Conv) and node.residual != tensor):
                del pads[tensor]
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Conv) and node.input in pads:
            found = pads[node.input]
            top, left, bottom, right = (a + b for a, b in zip(found.pads, node.pads, strict=True))
            kept.append(replace(node, input=found.input, pads=(top, left, bottom, right)))
        elif node.output not in pads:
            kept.append(node)
    return tuple(kept)
