"""Readable names: `/blocks/blocks.3/shortcut/shortcut.0/Conv` becomes `blocks.3.shortcut`, and tensors follow nodes."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeVar

from qbench.graph.nodes import (
    Activation,
    ChannelAffine,
    Conv,
    Flatten,
    Foreign,
    Linear,
    Node,
    Pool,
    Recurrent,
    Unary,
    outputs_of,
)
from qbench.graph.passes.rewire import rewire

_WORDS: dict[type[Node], str] = {Activation: "clamp", ChannelAffine: "affine", Flatten: "flatten"}
_OPERATOR = re.compile(r"^(?P<op>[A-Z][A-Za-z]*)(_\d+)?$")
_NUMBERED = re.compile(r"^node_\w+$")  # PyTorch's newer exporter: node_MatMul_7, node_mean
N = TypeVar("N", bound=Node)


def scope_of(node_name: str, weight_name: str) -> str:
    """Return the module that a node stands for, "" when its names do not say.

    Args:
        node_name: the name in the file; PyTorch writes `/parent/parent.child/Op`.
        weight_name: the name of its weight, "" without one; `parent.child.weight` counts too.
    """
    if "/" not in node_name:
        for suffix in (".weight", ".bias"):
            if weight_name.endswith(suffix):
                return weight_name.removesuffix(suffix)
        return "" if _OPERATOR.match(node_name) or _NUMBERED.match(node_name) else node_name
    parts = [part for part in node_name.split("/") if part]
    if parts and _OPERATOR.match(parts[-1]):
        parts.pop()
    scope: list[str] = []
    for part in parts:
        if scope and part.startswith(scope[-1] + "."):
            scope.pop()
        scope.append(part)
    return ".".join(scope)


def _word(node: Node) -> str:
    """Return the kind of a node in a word."""
    match node:
        case Pool():
            return node.kind
        case Unary():
            return node.function
        case Foreign():
            return "foreign" if len(set(node.operators)) > 1 else node.operators[0].lower()
    return _WORDS.get(type(node), type(node).__name__.lower())


def _wanted(node: Node) -> str:
    """Return a node's name before it is made unique: a layer is its module, another node its module and its kind."""
    word = _word(node)
    if isinstance(node, Conv | Linear | Recurrent):
        return node.name or word
    if not node.name or re.match(rf"{word}(_\d+)?$", node.name.rpartition(".")[2]):
        return node.name or word
    return f"{node.name}.{word}"


def _without_zeros(names: Sequence[str]) -> list[str]:
    """Return names without a last `.0` where nothing else lives in that module: a layer alone in its Sequential."""
    count, ordered = Counter(names), sorted(names)

    def inside(module: str) -> int:
        """Return how many names are in a module, or are its own: a slash follows a dot in the order of letters."""
        return bisect_left(ordered, f"{module}/") - bisect_left(ordered, f"{module}.") + count[module]

    parents = [name.removesuffix(".0") for name in names]
    return [
        parent if parent != name and inside(parent) == count[name] else name
        for name, parent in zip(names, parents, strict=True)
    ]


def name_nodes(nodes: Sequence[Node], *, ends: Mapping[str, str]) -> tuple[Node, ...]:
    """Return the nodes with unique readable names, and tensors named after the nodes that write them.

    Args:
        nodes: in topological order, with their scopes (`scope_of`) as names.
        ends: the network's input and output tensors, and the names that they shall have.
    """
    wanted = _without_zeros([_wanted(node) for node in nodes])
    taken: set[str] = set()
    numbers: dict[str, Iterator[str]] = {}
    tensors = dict(ends)
    named: list[Node] = []
    for node, name in zip(nodes, wanted, strict=True):
        unique = next(one for one in numbers.setdefault(name, _numbered(name)) if one not in taken)
        taken.add(unique)
        named.append(_renamed(node, unique))
        for index, tensor in enumerate(outputs_of(node)):
            alone = len(outputs_of(node)) == 1 or (index == 0 and isinstance(node, Recurrent))
            own = unique if alone else f"{unique}:{index}"
            tensors.setdefault(tensor, f"{own}:out" if own in ends.values() else own)
    return tuple(rewire(node, tensors) for node in named)


def _numbered(name: str) -> Iterator[str]:
    """Yield the name, then the name with _2, _3 ..."""
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def _renamed(node: N, name: str) -> N:
    return replace(node, name=name)
