"""Which nodes of a file the output depends on, in an order in which they can run; a broken graph is a ModelError."""

from __future__ import annotations

from onnx import NodeProto

from qbench.errors import ModelError
from qbench.graph.file import File
from qbench.graph.order import in_order


def live_nodes(file: File) -> list[NodeProto]:
    """Return the nodes that the output depends on, in topological order.

    Raises:
        ModelError: when a tensor is written twice or never, or nodes wait for each other in a cycle.
    """
    writers = _writers(file)
    if file.output not in writers:
        raise ModelError(f"output '{file.output}' is written by no node")
    order, waiting = in_order(file.nodes, reads=_inputs, writes=_outputs)
    if waiting:
        raise ModelError(f"{_label(waiting[0])}: waits for its own output, in a cycle")
    known = {*writers, *file.constants, file.source}
    live = {file.output}
    for proto in reversed(order):
        if live.intersection(proto.output):
            live.update(_inputs(proto))
            _check_inputs(proto, known)
    return [proto for proto in order if live.intersection(proto.output)]


def _inputs(proto: NodeProto) -> list[str]:
    return [tensor for tensor in proto.input if tensor]  # "" is an optional input that is left out


def _outputs(proto: NodeProto) -> list[str]:
    return [tensor for tensor in proto.output if tensor]


def _label(proto: NodeProto) -> str:
    return f"node '{proto.name or next(iter(proto.output), '')}' ({proto.op_type})"


def _writers(file: File) -> dict[str, NodeProto]:
    writers: dict[str, NodeProto] = {}
    for proto in file.nodes:
        for tensor in _outputs(proto):
            if tensor in writers or tensor in file.constants or tensor == file.source:
                raise ModelError(f"{_label(proto)}: tensor '{tensor}' is written twice")
            writers[tensor] = proto
    return writers


def _check_inputs(proto: NodeProto, known: set[str]) -> None:
    for tensor in _inputs(proto):
        if tensor not in known:
            raise ModelError(f"{_label(proto)}: reads '{tensor}', which no node and no initializer gives")
