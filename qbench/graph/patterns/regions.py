"""Regions of nodes that are typed in another view of their tensors: views are put around them, and nodes inside turned.

A region is what hangs together by tensors of one kind, over nodes of single numbers and nodes that are special in the
view. Transposes between channels last and channels first vanish at its borders.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from onnx import NodeProto

from qbench.graph.nodes import Activation, Add, Mul, Unary
from qbench.graph.onnx.draft import Affine, Alias, Draft, Raw, reads, writes
from qbench.graph.onnx.tensor_type import FLOAT, TensorType
from qbench.graph.order import in_order
from qbench.graph.patterns.views import (
    TO_FIRST,
    TO_LAST,
    ChannelsFirst,
    OneRow,
    Special,
    Tokens,
    View,
    elementwise,
    seen,
)
from qbench.graph.patterns.web import Web, operator


@dataclass(slots=True)
class _Region:
    """Members by place, and the tensors between them."""

    tensors: set[str] = field(default_factory=set)
    members: list[Draft] = field(default_factory=list)


def turn_regions(web: Web) -> list[Draft]:
    """Return the nodes with every region turned to the view that gives it typed nodes."""
    nodes = web.nodes
    for view in (ChannelsFirst(), Tokens(), OneRow()):
        finder = _Finder(web.again(nodes), view)
        nodes = finder.turned()
    return nodes


class _Finder:
    """Finds the regions of one view."""

    def __init__(self, web: Web, view: View) -> None:
        self._web, self._view = web, view
        self._specials: dict[int, Special] = {}
        self._root: dict[str, str] = {}
        self._inside: dict[int, tuple[str, ...]] = {}  # member -> its tensors of the region
        for node in web.nodes:
            inside = self._tensors(node)
            if inside:
                self._inside[id(node)] = inside
                for tensor in inside:
                    self._root.setdefault(tensor, tensor)
                    self._root[self._find(tensor)] = self._find(inside[0])

    def _find(self, tensor: str) -> str:
        while self._root[tensor] != tensor:
            self._root[tensor] = self._root[self._root[tensor]]
            tensor = self._root[tensor]
        return tensor

    def _tensors(self, node: Draft) -> tuple[str, ...]:
        """Return the tensors of a member that the region's view turns, none where a node is no member."""
        own = (*reads(node), *writes(node))
        if isinstance(node, Raw):
            found = self._raw(node)
            return found if all(map(self._fits, found)) else ()
        if isinstance(node, Affine):
            turns = node.axis is None or node.axis in self._view.axes
        else:
            turns = isinstance(node, Unary | Activation | Add | Mul)
        alike = len({self._web.shape(tensor) for tensor in own}) == 1
        return own if turns and alike and all(map(self._fits, own)) else ()

    def _raw(self, node: Raw) -> tuple[str, ...]:
        if len(node.protos) != 1 or not node.reads:
            return ()
        if operator(node) == "Transpose" and isinstance(self._view, ChannelsFirst):
            perm = self._web.reader(node).several("perm")
            return node.reads if perm == TO_FIRST else (node.output,) if perm == TO_LAST else ()
        if not self._fits(node.reads[0]):
            return ()
        special = self._view.special(self._web, node)
        if special is not None:
            self._specials[id(node)] = special
        return () if special is None else special.seen

    def _fits(self, tensor: str) -> bool:
        kind = self._web.types.get(tensor)
        if kind is None or kind.dtype != FLOAT or not kind.has_batch or kind.dims is None:
            return False
        return self._view.dims((1, *kind.dims[1:])) is not None

    def turned(self) -> list[Draft]:
        """Return all nodes, the worthwhile regions turned."""
        regions: dict[str, _Region] = {}
        for node in self._web.nodes:
            inside = self._inside.get(id(node))
            if inside:
                region = regions.setdefault(self._find(inside[0]), _Region())
                region.tensors.update(inside)
                region.members.append(node)
        chosen = [region for region in regions.values() if self._is_worth_it(region)]
        if not chosen:
            return self._web.nodes
        gone = {id(node) for region in chosen for node in region.members}
        made = [node for node in self._web.nodes if id(node) not in gone]
        for region in chosen:
            made += self._turn(region)
        ordered, waiting = in_order(made, reads=reads, writes=writes)
        assert not waiting, "a view made a cycle"
        return ordered

    def _is_worth_it(self, region: _Region) -> bool:
        vanishing = sum(operator(node) == "Transpose" for node in region.members)
        layers = sum(self._specials[id(node)].is_layer for node in region.members if id(node) in self._specials)
        if isinstance(self._view, ChannelsFirst):
            return vanishing > 0 and (layers > 0 or vanishing > len(self._borders(region)))
        return layers > 0

    def _borders(self, region: _Region) -> list[str]:
        """Return the tensors that need a node: those from outside, and those that are read outside."""
        members = {id(node) for node in region.members}
        found = []
        for tensor in sorted(region.tensors):
            writer, left = self._web.writer(tensor), self._is_left(tensor, members)
            if writer is None:
                found += [tensor] * left  # inputs turn for nothing, where nothing else reads them
            elif id(writer) not in members or left:
                found.append(tensor)
        return found

    def _is_left(self, tensor: str, members: Collection[int]) -> bool:
        return tensor in self._web.outputs or any(id(node) not in members for node in self._web.readers(tensor))

    def _turn(self, region: _Region) -> list[Draft]:
        members = {id(node) for node in region.members}
        made: list[Draft] = []
        for tensor in sorted(region.tensors):
            viewed = seen(tensor, self._view)
            dims = self._web.types[tensor].dims or ()
            self._web.types[viewed] = TensorType(FLOAT, (dims[0], *(self._view.dims((1, *dims[1:])) or ())[1:]))
            writer = self._web.writer(tensor)
            if writer is None or id(writer) not in members:
                made.append(_raw(self._view.enter(self._web, tensor, viewed), tensor, viewed))
            elif self._is_left(tensor, members):
                made.append(_raw(self._view.leave(self._web, viewed, tensor), viewed, tensor))
        for node in region.members:
            made += self._member(node)
        return made

    def _member(self, node: Draft) -> Sequence[Draft]:
        if id(node) in self._specials:
            return self._specials[id(node)].drafts
        if isinstance(node, Raw):  # a transpose at the border
            leaves = self._inside[id(node)] == node.reads
            source, made = (seen(node.reads[0], self._view), node.output) if leaves else (
                node.reads[0], seen(node.output, self._view)
            )  # fmt: skip
            return [Alias(node.name, source, made)]
        return [elementwise(node, self._view)]


def _raw(proto: NodeProto, source: str, made: str) -> Raw:
    return Raw("", (proto,), (source,), (source,), (made,), f"tensor '{source}': its axes are seen in another order")


def channels_first_inputs(
    nodes: Sequence[Draft], types: dict[str, TensorType], inputs: Sequence[str], *, outputs: Collection[str]
) -> tuple[list[Draft], list[str]]:
    """Let inputs of channels last be channels first, where all that read them turn them so.

    Returns:
        The nodes without those transposes; and the inputs that were turned.
    """
    turned: list[str] = []
    for name in inputs:
        readers = [node for node in nodes if name in reads(node)]
        dims = types[name].dims
        if not readers or name in outputs or dims is None or len(dims) != 4 or len(readers) == len(nodes):
            continue
        if all(operator(node) == "Transpose" and _perm(node) == TO_FIRST for node in readers):
            turned.append(name)
            types[name] = TensorType(types[name].dtype, tuple(dims[axis] for axis in TO_FIRST))
            aliases: Mapping[int, Draft] = {id(node): Alias("", name, writes(node)[0]) for node in readers}
            nodes = [aliases.get(id(node), node) for node in nodes]
    return list(nodes), turned


def _perm(node: Draft) -> tuple[int, ...]:
    assert isinstance(node, Raw), "it has an operator"
    return next((tuple(entry.ints) for entry in node.protos[0].attribute if entry.name == "perm"), ())
