"""Hand nodes that an engine has no steps for to another library: they become Foreign, one with their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qbench.graph.network import Network
from qbench.graph.nodes import Foreign, Node, inputs_of, outputs_of
from qbench.graph.onnx.cut import neighbours
from qbench.graph.order import in_order
from qbench.graph.writing.builder import Builder
from qbench.graph.writing.write import node_as_foreign, opset_of


def outsource(network: Network, *, keep: Callable[[Node], bool]) -> Network:
    """Return the network with every typed node that `keep` does not want as a Foreign, neighbours merged.

    Names of tensors that are still there, shapes and ends stay as they are.
    """
    nodes = [
        node if isinstance(node, Foreign) or keep(node) else node_as_foreign(network, node, opset=opset_of(network))
        for node in network.nodes
    ]
    groups = neighbours(nodes, foreign=lambda node: isinstance(node, Foreign), reads=inputs_of, writes=outputs_of)
    owner = {id(node): number for number, group in enumerate(groups) for node in group}
    readers: dict[str, set[int]] = {}
    for node in nodes:
        for tensor in inputs_of(node):
            readers.setdefault(tensor, set()).add(owner.get(id(node), -1))
    made: list[Node] = [node for node in nodes if not isinstance(node, Foreign)]
    for number, group in enumerate(groups):
        members = [node for node in group if isinstance(node, Foreign)]
        written = [tensor for node in members for tensor in node.outputs]
        wanted = [t for t in written if t in network.outputs or readers.get(t, set()) - {number}]
        made.append(members[0] if len(members) == 1 else _merged(network, members, wanted))
    ordered, _ = in_order(made, reads=inputs_of, writes=outputs_of)
    kept = {*network.inputs, *(tensor for node in ordered for tensor in outputs_of(node))}
    return replace(
        network, nodes=tuple(ordered),
        shapes={tensor: shape for tensor, shape in network.shapes.items() if tensor in kept},
    )  # fmt: skip


def absorbed(network: Network, tensor: str) -> Network | None:
    """Return the network with what writes a tensor taken into every Foreign that reads it; None where that cannot be.

    Another library then computes it once in each of them, and the tensor is inside. Readers must be Foreign.
    """
    writer = next(node for node in network.nodes if tensor in outputs_of(node))
    readers = network.consumers(tensor)
    if tensor in network.outputs or not isinstance(writer, Foreign) or not all(isinstance(n, Foreign) for n in readers):
        return None
    made: list[Node] = []
    for node in network.nodes:
        if node is writer:
            rest = tuple(t for t in writer.outputs if t != tensor)
            made += [_merged(network, [writer], rest)] if rest else []
        elif isinstance(node, Foreign) and tensor in node.inputs:
            made.append(replace(_merged(network, [writer, node], node.outputs), name=node.name))
        else:
            made.append(node)
    return replace(network, nodes=tuple(made), shapes={t: s for t, s in network.shapes.items() if t != tensor})


def _merged(network: Network, members: Sequence[Foreign], wanted: Sequence[str]) -> Foreign:
    written = {tensor for node in members for tensor in node.outputs}
    given = tuple(dict.fromkeys(t for node in members for t in node.inputs if t not in written))
    builder = Builder(members[-1].name, opset=opset_of(network))
    for node in members:
        builder.foreign(node)
    content = builder.to_bytes(
        inputs={name: network.shapes[name] for name in given}, outputs={name: network.shapes[name] for name in wanted},
        metadata={}, dtypes=network.dtypes, unbatched=network.unbatched,
    )  # fmt: skip
    return Foreign(
        name=members[-1].name, operators=tuple(op for node in members for op in node.operators), inputs=given,
        outputs=tuple(wanted), model=content, opset=builder.opset,
        reasons=tuple(reason for node in members for reason in node.reasons),
    )  # fmt: skip
