"""Drafts as a web: who writes a tensor, who reads it, and a way to put one node in the place of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnx import helper

from qbench.graph.nodes import Shape
from qbench.graph.onnx.draft import Affine, Draft, Raw, reads, writes
from qbench.graph.onnx.file import Array
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.survey import Survey
from qbench.graph.onnx.tensor_type import TensorType


class Web:
    """Drafts in topological order.

    Args:
        nodes: the drafts.
        outputs: the network's output tensors.
        found: constants and types of the file.
        opset: version of the standard operators.
    """

    def __init__(self, nodes: Sequence[Draft], *, outputs: Sequence[str], found: Survey, opset: int) -> None:
        self._slots: list[Draft | None] = []
        self.place: dict[str, int] = {}
        self._readers: dict[str, list[Draft]] = {}
        self.outputs, self.types, self.multiples = frozenset(outputs), found.types, found.multiples
        self._constants, self._opset, self._found = found.constants, opset, found
        for slot, node in enumerate(nodes):
            self._slots.append(None)
            self._enter(node, slot)

    def again(self, nodes: Sequence[Draft]) -> Web:
        """Return a web of other nodes of the same file."""
        return Web(nodes, outputs=tuple(self.outputs), found=self._found, opset=self._opset)

    def constant(self, name: str, value: Array) -> str:
        """Add a constant to the file's, and return its name."""
        self._constants[name] = value
        self.types[name] = TensorType(int(helper.np_dtype_to_tensor_dtype(value.dtype)), tuple(value.shape))
        return name

    @property
    def nodes(self) -> list[Draft]:
        """The drafts as they are by now, in topological order."""
        return [node for node in self._slots if node is not None]

    def reader(self, node: Raw) -> NodeReader:
        """Return a reader of a Raw of one node."""
        return NodeReader(node.protos[0], self._opset, self._constants, self.types)

    def shape(self, tensor: str) -> Shape:
        """Return a tensor's shape without its batch; () where it has none, or is not known."""
        kind = self.types.get(tensor)
        return kind.shape if kind is not None and kind.has_batch else ()

    def runs(self, tensor: str) -> tuple[int, Shape]:
        """Return how many times the batch a tensor's first axis is, and its other sizes; (0, ()) for what has none."""
        kind = self.types.get(tensor)
        if kind is None or not kind.dims:
            return 0, ()
        times = 1 if kind.has_batch else self.multiples.get(kind.dims[0], 0)
        return (times, tuple(max(size, -1) for size in kind.dims[1:])) if times else (0, ())

    def writer(self, tensor: str) -> Draft | None:
        """Return the node that writes a tensor, None for the network's inputs."""
        return self._slots[self.place[tensor]] if tensor in self.place else None

    def readers(self, tensor: str) -> list[Draft]:
        """Return the nodes that read a tensor, twice where one reads it twice."""
        return self._readers.get(tensor, [])

    def is_inner(self, tensor: str, region: Iterable[Draft]) -> bool:
        """Whether only nodes of a region read a tensor."""
        inside = {id(node) for node in region}
        return tensor not in self.outputs and all(id(reader) in inside for reader in self.readers(tensor))

    def only_reader(self, tensor: str) -> Draft | None:
        """Return the only node that reads a tensor, if it reads it once; else None."""
        found = self.readers(tensor)
        return found[0] if len(found) == 1 and tensor not in self.outputs else None

    def put(self, made: Draft | Sequence[Draft], region: Sequence[Draft]) -> None:
        """Put one node, or several, in the place of a region; the last one writes what the region's last node wrote."""
        last = made if isinstance(made, Draft) else made[-1]
        others = [] if isinstance(made, Draft) else made[:-1]
        members = list({id(node): node for node in region}.values())
        slots = [self.place[node.output] for node in members]
        for node, slot in zip(members, slots, strict=True):
            self._slots[slot] = None
            for tensor in writes(node):
                del self.place[tensor]
            for tensor in reads(node):
                self._readers[tensor] = [reader for reader in self._readers[tensor] if reader is not node]
        for node, slot in zip(others, sorted(slots), strict=False):
            self._enter(node, slot)
        self._enter(last, max(slots))

    def _enter(self, node: Draft, slot: int) -> None:
        self._slots[slot] = node
        self.place.update(dict.fromkeys(writes(node), slot))
        for tensor in reads(node):
            self._readers.setdefault(tensor, []).append(node)


def operator(node: Draft | None) -> str:
    """Return the operator of a Raw of one node, "" of all else."""
    return node.protos[0].op_type if isinstance(node, Raw) and len(node.protos) == 1 else ""


def scaled(web: Web, node: Draft | None) -> tuple[float, str] | None:
    """Return the number that a node multiplies or divides by, and the tensor; None where it does something else."""
    number = factor(node)
    if number is not None:
        return number, node.input  # type: ignore[union-attr]
    if not isinstance(node, Raw) or operator(node) not in ("Mul", "Div") or len(node.reads) != 1:
        return None
    names, constants = node.protos[0].input, web.reader(node).constants
    fixed = [place for place, name in enumerate(names) if name in constants and constants[name].size == 1]
    if len(names) != 2 or len(fixed) != 1 or (operator(node) == "Div" and fixed == [0]):
        return None
    value = float(constants[names[fixed[0]]].reshape(-1)[0])
    return (value if operator(node) == "Mul" else 1 / value, node.reads[0]) if value else None


def factor(node: Draft | None) -> float | None:
    """Return the number that an Affine multiplies everything by, None where it does more or is none."""
    if isinstance(node, Affine) and node.scale.size == 1 and node.axis is None and not node.offset.any():
        return float(node.scale[0])
    return None
