"""Change the names of the tensors that a node reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar, cast

from qbench.graph.nodes import Add, Attention, Concat, Conv, Foreign, Mul, Recurrent
from qbench.graph.onnx.draft import Draft, Raw

N = TypeVar("N", bound=Draft)


def rewire(node: N, names: Mapping[str, str]) -> N:
    """Return the node with every tensor found in `names` renamed."""
    return cast("N", _rewired(node, names))


def _rewired(node: Draft, names: Mapping[str, str]) -> Draft:
    def new(tensor: str) -> str:
        return names.get(tensor, tensor)

    match node:
        case Raw():
            return replace(node, reads=tuple(map(new, node.reads)), outputs=tuple(map(new, node.outputs)))
        case Foreign():
            return replace(node, inputs=tuple(map(new, node.inputs)), outputs=tuple(map(new, node.outputs)))
        case Add() | Mul():
            first, second = map(new, node.inputs)
            return replace(node, inputs=(first, second), output=new(node.output))
        case Concat():
            return replace(node, inputs=tuple(map(new, node.inputs)), output=new(node.output))
        case Attention():
            mask = None if node.mask is None else new(node.mask)
            return replace(
                node, query=new(node.query), key=new(node.key), value=new(node.value), mask=mask,
                output=new(node.output),
            )  # fmt: skip
        case Recurrent():
            begin, end = (tuple(map(new, tensors)) for tensors in (node.first, node.last))
            return replace(
                node, gates=new(node.gates), input=new(node.input), output=new(node.output), first=begin, last=end
            )
        case Conv() if node.residual is not None:
            return replace(node, input=new(node.input), output=new(node.output), residual=new(node.residual))
        case _:
            return replace(node, input=new(node.input), output=new(node.output))
