"""From a file's nodes to drafts: typed where an operator has a typed node, raw where it has none."""

from __future__ import annotations

from onnx import NodeProto

from qbench.graph.nodes import Shape
from qbench.graph.onnx.draft import Draft, Raw, UntypedError, reads
from qbench.graph.onnx.file import File
from qbench.graph.onnx.inference import STANDARD
from qbench.graph.onnx.liveness import inputs_of_proto
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.normalize import with_constant_shape
from qbench.graph.onnx.operators import OPERATORS
from qbench.graph.onnx.survey import Survey
from qbench.graph.shapes import shape_after


def drafts_of(file: File, found: Survey) -> tuple[tuple[Draft, ...], dict[str, Shape]]:
    """Return a draft of every node, and the shapes of what they write."""
    used = {*file.outputs, *(tensor for proto in found.nodes for tensor in inputs_of_proto(proto))}
    known = {name: kind.shape for name, kind in found.types.items()}
    drafts: list[Draft] = []
    for proto in found.nodes:
        node = NodeReader(
            with_constant_shape(_trimmed(proto, used), found), file.opset, found.constants, found.types, found.origins
        )
        try:
            made = _read(node)
            for draft in made:
                if not isinstance(draft, Raw):
                    known[draft.output] = shape_after(draft, [known[tensor] for tensor in reads(draft)])
            drafts.extend(made)
        except UntypedError as why:
            drafts.append(node.raw(str(why)))
    return tuple(drafts), known


def _read(node: NodeReader) -> tuple[Draft, ...]:
    if node.proto.domain not in STANDARD:
        raise UntypedError(f"of domain '{node.proto.domain}'")
    if node.op == "If":
        raise UntypedError("which branch it takes depends on what goes in, so layers inside stay in float")
    if node.op not in OPERATORS:
        raise UntypedError("it has no typed node")
    made = OPERATORS[node.op](node)
    return made if isinstance(made, tuple) else (made,)


def _trimmed(proto: NodeProto, used: set[str]) -> NodeProto:
    """Return the node without the optional outputs that nothing reads (masks, indices, running means)."""
    if proto.op_type == "Split" or all(name in used for name in proto.output[1:]):
        return proto
    changed = NodeProto()
    changed.CopyFrom(proto)
    names = [name if index == 0 or name in used else "" for index, name in enumerate(proto.output)]
    while names[-1] == "":
        names.pop()
    changed.output[:] = names
    return changed
