"""Let the node before a clamp do the clamping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Activation, Add, ChannelAffine, Conv, Linear, Mul
from qbench.graph.onnx.draft import Draft, uses


def fuse_activation(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with each Activation merged into the node before it, where that clamps and only it reads."""
    count = uses(nodes, outputs)
    kept: dict[str, Draft] = {}
    for node in nodes:
        before = kept.get(node.input) if isinstance(node, Activation) else None
        if not isinstance(node, Activation) or before is None or count[node.input] != 1:
            kept[node.output] = node
        elif isinstance(before, Conv | Linear | Add | Mul | ChannelAffine):
            clamp = node.clamp if before.activation is None else before.activation.then(node.clamp)
            del kept[node.input]
            kept[node.output] = replace(before, activation=clamp, output=node.output)
        elif isinstance(before, Activation):
            del kept[node.input]
            kept[node.output] = replace(before, clamp=before.clamp.then(node.clamp), output=node.output)
        else:
            kept[node.output] = node
    return tuple(kept.values())
