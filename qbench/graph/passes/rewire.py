"""Change the names of the tensors that a node reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from qbench.graph.draft import Draft
from qbench.graph.network import Add, Conv

N = TypeVar("N", bound=Draft)


def rewire(node: N, names: Mapping[str, str]) -> N:
    """Return the node with every tensor found in `names` renamed."""
    output = names.get(node.output, node.output)
    if isinstance(node, Add):
        first, second = (names.get(tensor, tensor) for tensor in node.inputs)
        return replace(node, inputs=(first, second), output=output)
    source = names.get(node.input, node.input)
    if isinstance(node, Conv) and node.residual is not None:
        return replace(node, input=source, output=output, residual=names.get(node.residual, node.residual))
    return replace(node, input=source, output=output)
