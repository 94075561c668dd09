"""Let a convolution take in the addition that follows it, so that the sum is made in its accumulators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.graph.nodes import Add, Conv
from qbench.graph.onnx.draft import Draft, reads, uses, writes


def _depths(nodes: Sequence[Draft]) -> dict[str, int]:
    """Return the longest path, in nodes, from the input to each tensor."""
    depths: dict[str, int] = {}
    for node in nodes:
        depth = 1 + max((depths.get(tensor, 0) for tensor in reads(node)), default=0)
        depths.update(dict.fromkeys(writes(node), depth))
    return depths


def fuse_residual(nodes: Sequence[Draft], *, outputs: Sequence[str]) -> tuple[Draft, ...]:
    """Return the nodes with each Add merged into a convolution that only it reads.

    Of two such convolutions the deeper one is the host, so that the residual can always be computed before it. The
    order of the nodes may have to change afterwards (`qbench.graph.order`).
    """
    count, depths = uses(nodes, outputs), _depths(nodes)
    kept: dict[str, Draft] = {}
    for node in nodes:
        hosts: list[Conv] = []
        if isinstance(node, Add):
            makers = [kept.get(tensor) for tensor in node.inputs]
            hosts = [m for m in makers if isinstance(m, Conv) and m.residual is None and count[m.output] == 1]
        if not hosts or not isinstance(node, Add):
            kept[node.output] = node
            continue
        host = max(hosts, key=lambda conv: depths[conv.output])
        other = node.inputs[1] if node.inputs[0] == host.output else node.inputs[0]
        del kept[host.output]
        kept[node.output] = replace(host, residual=other, output=node.output)
    return tuple(kept.values())
