"""Drafts as a web: who writes a tensor, who reads it, and a way to put one node in the place of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qbench.graph.draft import Affine, Draft, Raw, reads, writes
from qbench.graph.node_reader import NodeReader
from qbench.graph.nodes import Shape
from qbench.graph.survey import Survey


class Web:
    """Drafts in topological order.

    Args:
        nodes: the drafts.
        outputs: the network's output tensors.
        found: constants and types of the file.
        opset: version of the standard operators.
    """

    def __init__(self, nodes: Sequence[Draft], *, outputs: Sequence[str], found: Survey, opset: int) -> None:
        self.nodes: list[Draft] = list(nodes)
        self.outputs, self.types = frozenset(outputs), found.types
        self._constants, self._opset = found.constants, opset
        self._index()

    def reader(self, node: Raw) -> NodeReader:
        """Return a reader of a Raw of one node."""
        return NodeReader(node.protos[0], self._opset, self._constants, self.types)

    def shape(self, tensor: str) -> Shape:
        """Return a tensor's shape without its batch; () where it has none, or is not known."""
        kind = self.types.get(tensor)
        return kind.shape if kind is not None and kind.has_batch else ()

    def _index(self) -> None:
        self.place = {tensor: i for i, node in enumerate(self.nodes) for tensor in writes(node)}
        self._readers: dict[str, list[Draft]] = {}
        for node in self.nodes:
            for tensor in reads(node):
                self._readers.setdefault(tensor, []).append(node)

    def writer(self, tensor: str) -> Draft | None:
        """Return the node that writes a tensor, None for the network's inputs."""
        return self.nodes[self.place[tensor]] if tensor in self.place else None

    def readers(self, tensor: str) -> list[Draft]:
        """Return the nodes that read a tensor, twice where one reads it twice."""
        return self._readers.get(tensor, [])

    def is_inner(self, tensor: str, region: Iterable[Draft]) -> bool:
        """Whether only nodes of a region read a tensor."""
        inside = {id(node) for node in region}
        return tensor not in self.outputs and all(id(reader) in inside for reader in self.readers(tensor))

    def only_reader(self, tensor: str) -> Draft | None:
        """Return the node that alone reads a tensor, once; else None."""
        found = self.readers(tensor)
        return found[0] if len(found) == 1 and tensor not in self.outputs else None

    def put(self, made: Mapping[int, Draft], gone: Iterable[Draft]) -> None:
        """Put nodes in the places of their last ones (`made`: id -> node) and take others out."""
        away = {id(node) for node in gone}
        self.nodes = [made.get(id(node), node) for node in self.nodes if id(node) not in away or id(node) in made]
        self._index()


def operator(node: Draft | None) -> str:
    """Return the operator of a Raw of one node, "" of all else."""
    return node.protos[0].op_type if isinstance(node, Raw) and len(node.protos) == 1 else ""


def factor(node: Draft | None) -> float | None:
    """Return the number that an Affine multiplies everything by, None where it does more or is none."""
    if isinstance(node, Affine) and node.scale.size == 1 and node.axis is None and not node.offset.any():
        return float(node.scale[0])
    return None
