"""An If whose condition is known when the file is read gives way to the branch that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import GraphProto, NodeProto, helper

from qbench.errors import ModelError
from qbench.graph.onnx.draft import uncovered
from qbench.graph.onnx.file import Array, inner_array
from qbench.graph.onnx.inference import STANDARD


def take_branches(nodes: Sequence[NodeProto], known: Mapping[str, Array], *, constants: dict[str, Array]) -> (
    list[NodeProto] | None
):  # fmt: skip
    """Return the nodes with every decided If replaced, None where there is none.

    Args:
        nodes: in topological order.
        known: constants, folded ones too.
        constants: where the branches' initializers are added.
    """
    kept: list[NodeProto] = []
    changed = False
    for proto in nodes:
        body = taken_branch(proto, known)
        if body is None:
            kept.append(proto)
            continue
        changed = True
        _check_new(proto, [t.name for t in body.initializer], constants)
        constants.update({tensor.name: inner_array(tensor) for tensor in body.initializer})
        kept.extend(body.node)
        for inner, outer in zip(body.output, proto.output, strict=True):
            kept.append(helper.make_node("Identity", [inner.name], [outer], name=f"{proto.name}/{outer}"))
    return kept if changed else None


def taken_branch(proto: NodeProto, known: Mapping[str, Array]) -> GraphProto | None:
    """Return the branch of an If whose condition is known, None for all other nodes."""
    if proto.op_type != "If" or proto.domain not in STANDARD or not proto.input or proto.input[0] not in known:
        return None
    condition = known[proto.input[0]]
    branch = "then_branch" if condition.size == 1 and condition.reshape(-1)[0] else "else_branch"
    body: GraphProto | None = next((entry.g for entry in proto.attribute if entry.name == branch), None)
    if body is None or len(body.output) != len(proto.output):
        raise uncovered(
            proto.name or next(iter(proto.output), ""), "If", f"expected a {branch} that gives what it writes"
        )
    return body


def _check_new(proto: NodeProto, names: Sequence[str], constants: Mapping[str, Array]) -> None:
    double = next((name for name in names if name in constants), None)
    if double is not None:
        raise ModelError(f"node '{proto.name or proto.output[0]}' (If): tensor '{double}' is written twice")
