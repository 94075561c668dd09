"""Inputs and outputs whose batch is not their first axis (states of recurrent networks) are turned so that it is.

The file's nodes keep what they expect, by a Transpose behind such an input and before such an output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from onnx import AttributeProto, GraphProto, NodeProto, helper

from qbench.graph.onnx.file import File, Port

NOTE = "batch_first"
"""Key of the metadata that names the inputs and outputs that were turned."""

Dims = Sequence[int | str]


def batch_first(file: File) -> File:
    """Return a file whose inputs and outputs have their batch first, wherever their sizes name it."""
    batch = next((port.dims[0] for port in file.inputs if port.dims and port.dims[0]), "")
    if not isinstance(batch, str) or not batch:
        return file
    inputs = {port.name: axis for port in file.inputs if (axis := _place(port.dims, batch))}
    outputs: dict[str, int] = {}
    ranks = {port.name: len(port.dims) for port in file.inputs}
    for value in file.model.graph.output:
        dims = [dim.dim_param or int(dim.dim_value) for dim in value.type.tensor_type.shape.dim]
        if axis := _place(dims, batch):
            outputs[value.name], ranks[value.name] = axis, len(dims)
    turned = {**inputs, **outputs}
    written = {name for proto in file.nodes for name in proto.output}
    if not turned or set(inputs) & set(outputs) or not written.issuperset(outputs):
        return file
    names = {name: f"{name}:whole" for name in turned}
    nodes = [_renamed(proto, names) for proto in file.nodes]
    nodes += [_transpose(name, names[name], _back(axis, ranks[name])) for name, axis in inputs.items()]
    nodes += [_transpose(names[name], name, _front(axis, ranks[name])) for name, axis in outputs.items()]
    ports = tuple(_turned(port, inputs[port.name]) if port.name in inputs else port for port in file.inputs)
    return replace(file, nodes=tuple(nodes), inputs=ports, notes={**file.notes, NOTE: ", ".join(turned)})


def _place(dims: Dims, batch: str) -> int:
    """Return the axis that alone is the batch, 0 where that is the first one, or none, or not known."""
    return list(dims).index(batch) if list(dims).count(batch) == 1 else 0


def _front(axis: int, rank: int) -> list[int]:
    return [axis, *(other for other in range(rank) if other != axis)]


def _back(axis: int, rank: int) -> list[int]:
    front = _front(axis, rank)
    return [front.index(place) for place in range(rank)]


def _turned(port: Port, axis: int) -> Port:
    return replace(port, dims=tuple(port.dims[place] for place in _front(axis, len(port.dims))))


def _transpose(source: str, made: str, perm: Sequence[int]) -> NodeProto:
    return helper.make_node("Transpose", [source], [made], name=f"{made}:turn", perm=perm)


def _renamed(proto: NodeProto, names: Mapping[str, str]) -> NodeProto:
    """Return a node with tensors renamed, in its bodies too."""
    changed = NodeProto()
    changed.CopyFrom(proto)
    changed.input[:] = [names.get(name, name) for name in changed.input]
    changed.output[:] = [names.get(name, name) for name in changed.output]
    for entry in changed.attribute:
        bodies = [entry.g] if entry.type == AttributeProto.GRAPH else list(entry.graphs)
        for body in bodies:
            _rename_body(body, names)
    return changed


def _rename_body(body: GraphProto, names: Mapping[str, str]) -> None:
    own = {value.name for value in (*body.input, *body.initializer)} | {t for proto in body.node for t in proto.output}
    outer = {name: new for name, new in names.items() if name not in own}
    for index, proto in enumerate(body.node):
        body.node[index].CopyFrom(_renamed(proto, outer))
    for value in body.output:
        value.name = outer.get(value.name, value.name)
