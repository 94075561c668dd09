"""Where a quantized file saturates and the network read from it has no codes that would: there a clamp is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from onnx import NodeProto

from qbench.graph.quantized.unquantize import MOVES, SIGNED

_CLAMPS = {"Clip", "Relu"}


def without_container(
    nodes: Sequence[NodeProto], coded: Collection[str], names: Mapping[str, str], outputs: Collection[str]
) -> set[str]:
    """Return the tensors that lose their saturation with their codes.

    Those are outputs, which leave the network in float32, unless they are codes that were only moved; and what a layer
    took into itself with the clamp after it. What a pattern of several operators took in (attention, say) is rounded
    by none of them, and saturates as little: a clamp there would hide the pattern.

    Args:
        nodes: of the float file.
        coded: its tensors that the quantized file has codes for.
        names: tensor of the file -> tensor of the network, where there is one.
        outputs: of the network.
    """
    web = _Web(nodes)
    found = set()
    for tensor in coded:
        name = names.get(tensor)
        if name in outputs and not web.is_moved(tensor, coded):
            found.add(tensor)
        if name is None and web.is_clamped_next(tensor):
            found.add(tensor)
    return found


class _Web:
    """Who makes a tensor and who reads it; an Identity, which a DequantizeLinear left, is looked through."""

    def __init__(self, nodes: Sequence[NodeProto]) -> None:
        self._makers = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, set[str]] = {}
        for node in nodes:
            if node.op_type != "Identity":
                for name in node.input:
                    self._readers.setdefault(self._through(name), set()).add(node.op_type)

    def _through(self, tensor: str) -> str:
        while tensor in self._makers and self._makers[tensor].op_type == "Identity":
            tensor = self._makers[tensor].input[0]
        return tensor

    def is_moved(self, tensor: str, coded: Collection[str]) -> bool:
        """Whether an operator that changes no value makes a tensor of one that has codes."""
        node = self._makers.get(tensor)
        return node is not None and node.op_type in MOVES - {"Identity"} and self._through(node.input[0]) in coded

    def is_clamped_next(self, tensor: str) -> bool:
        """Whether a product or a sum makes a tensor, and nothing but a clamp reads it."""
        node, readers = self._makers.get(tensor), self._readers.get(tensor, set())
        return node is not None and node.op_type in SIGNED and bool(readers) and readers <= _CLAMPS
