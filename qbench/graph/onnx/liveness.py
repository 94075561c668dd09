"""The order in which a file's nodes can run; a broken graph is a ModelError."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, GraphProto, NodeProto

from qbench.errors import ModelError
from qbench.graph.onnx.file import File
from qbench.graph.order import in_order


def live_nodes(file: File) -> list[NodeProto]:
    """Return the nodes that an output depends on, in topological order.

    Raises:
        ModelError: when a tensor is written twice or never, or nodes wait for each other in a cycle.
    """
    writers = _writers(file)
    sources = {port.name for port in file.inputs}
    for output in file.outputs:
        if output not in writers and output not in sources and output not in file.constants:
            raise ModelError(f"output '{output}' is written by no node")
    order, waiting = in_order(file.nodes, reads=inputs_of_proto, writes=outputs_of_proto)
    if waiting:
        raise ModelError(f"{_label(waiting[0])}: waits for its own output, in a cycle")
    known = {*writers, *file.constants, *sources}
    live = set(file.outputs)
    for proto in reversed(order):
        if live.intersection(proto.output):
            live.update(inputs_of_proto(proto))
            _check_inputs(proto, known)
    return [proto for proto in order if live.intersection(proto.output)]


def inputs_of_proto(proto: NodeProto) -> list[str]:
    """Return the tensors that a node reads, those that only its bodies (If, Loop, Scan) read too."""
    own = [tensor for tensor in proto.input if tensor]  # "" is an optional input that is left out
    return list(dict.fromkeys([*own, *captured(proto)]))


def outputs_of_proto(proto: NodeProto) -> list[str]:
    """Return the tensors that a node writes."""
    return [tensor for tensor in proto.output if tensor]


def captured(proto: NodeProto) -> list[str]:
    """Return the tensors that a node's bodies take from outside."""
    return list(dict.fromkeys(tensor for body in _bodies(proto) for tensor in _free(body)))


def _bodies(proto: NodeProto) -> Iterator[GraphProto]:
    for entry in proto.attribute:
        if entry.type == AttributeProto.GRAPH:
            yield entry.g
        elif entry.type == AttributeProto.GRAPHS:
            yield from entry.graphs


def _free(body: GraphProto) -> Iterator[str]:
    given: Iterable[str] = (entry.name for entry in (*body.input, *body.initializer))
    own = set(given)
    for proto in body.node:
        yield from (tensor for tensor in inputs_of_proto(proto) if tensor not in own)
        own.update(proto.output)
    yield from (entry.name for entry in body.output if entry.name not in own)


def _label(proto: NodeProto) -> str:
    return f"node '{proto.name or next(iter(proto.output), '')}' ({proto.op_type})"


def _writers(file: File) -> dict[str, NodeProto]:
    writers: dict[str, NodeProto] = {}
    sources = {port.name for port in file.inputs}
    for proto in file.nodes:
        for tensor in outputs_of_proto(proto):
            if tensor in writers or tensor in file.constants or tensor in sources:
                raise ModelError(f"{_label(proto)}: tensor '{tensor}' is written twice")
            writers[tensor] = proto
    return writers


def _check_inputs(proto: NodeProto, known: set[str]) -> None:
    for tensor in inputs_of_proto(proto):
        if tensor not in known:
            raise ModelError(f"{_label(proto)}: reads '{tensor}', which no node and no initializer gives")
