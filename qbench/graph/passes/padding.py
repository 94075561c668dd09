"""Merge zero padding that stands as a node of its own into the convolutions and pools after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Activation, Concat, Conv, Pads, Pool
from qbench.graph.onnx.draft import Draft, ZeroPad, reads

Window = Conv | Pool


def merge_padding(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with every ZeroPad merged into the windows that read it, where all that read it can take it.

    A mean then counts its padding. A maximum leaves padding out, which is the same where nothing is below zero.
    """
    pads = {node.output: node for node in nodes if isinstance(node, ZeroPad) and node.output not in outputs}
    positive = _non_negative(nodes)
    for node in nodes:
        for tensor in reads(node):
            if tensor in pads and not _takes(node, pads[tensor], positive=pads[tensor].input in positive):
                del pads[tensor]
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Window) and node.input in pads:
            kept.append(_padded(node, pads[node.input]))
        elif node.output not in pads:
            kept.append(node)
    return tuple(kept)


def _padded(node: Window, found: ZeroPad) -> Draft:
    pads = _sum(node.pads, found.pads)
    if isinstance(node, Conv):
        return replace(node, input=found.input, pads=pads)
    return replace(node, input=found.input, pads=pads, count_include_pad=node.kind == "average")


def _sum(first: Pads, second: Pads) -> Pads:
    top, left, bottom, right = (a + b for a, b in zip(first, second, strict=True))
    return top, left, bottom, right


def _takes(node: Draft, pad: ZeroPad, *, positive: bool) -> bool:
    if isinstance(node, Conv):
        return node.residual != pad.output
    if not isinstance(node, Pool) or node.kind == "global_average":
        return False
    top, left, bottom, right = _sum(node.pads, pad.pads)
    fits = max(top, bottom) < node.kernel[0] and max(left, right) < node.kernel[1]
    return fits and (positive if node.kind == "max" else node.count_include_pad or not any(node.pads))


def _non_negative(nodes: Sequence[Draft]) -> set[str]:
    """Return tensors that hold nothing below zero, as a clamp sees to it."""
    found: set[str] = set()
    for node in nodes:
        clamped = isinstance(node, Activation) and node.clamp.low >= 0
        if clamped or (isinstance(node, Pool | Concat) and found.issuperset(reads(node))):
            found.add(node.output)
    return found
