"""Inputs and outputs whose batch is not their first axis (states of recurrent networks) are turned so that it is.

The file's nodes keep what they expect, by a Transpose behind such an input and before such an output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from onnx import AttributeProto, GraphProto, NodeProto, helper

from qbench.graph.onnx.file import File, Port
from qbench.graph.onnx.tensor_type import TensorType

NOTE = "batch_first"
"""Key of the metadata that names the inputs and outputs that were turned."""

Dims = Sequence[int | str]


def batch_first(file: File, *, given: Collection[str] = ()) -> File:
    """Return a file whose inputs and outputs have their batch first, wherever their sizes name it.

    Where nothing has a name, the batch of an input whose first size is fixed is the one size that is free; where all
    sizes are fixed, the one that equals the first size of the first input.

    Args:
        file: the file.
        given: inputs whose sizes the caller gives: they stay as they are.
    """
    batch = next((port.dims[0] for port in file.inputs if port.dims and port.dims[0]), "")
    first = file.inputs[0].dims[:1] if file.inputs else ()
    if not isinstance(batch, str):
        batch = first[0] if first else batch
    inputs = {port.name: axis for port in file.inputs if port.name not in given and (axis := _place(port.dims, batch))}
    outputs: dict[str, int] = {}
    ranks = {port.name: len(port.dims) for port in file.inputs}
    for value in file.model.graph.output:
        dims = [dim.dim_param or int(dim.dim_value) for dim in value.type.tensor_type.shape.dim]
        if inputs and batch and (axis := _place(dims, batch)):
            outputs[value.name], ranks[value.name] = axis, len(dims)
    return _with_turned(file, inputs, outputs, ranks)


def outputs_batch_first(file: File, types: Mapping[str, TensorType], *, times: Mapping[int, int]) -> File:
    """Return a file whose outputs have their batch first, where only their computed sizes show it.

    Args:
        file: the file.
        types: of its tensors.
        times: a free size -> how many times the batch it is.
    """
    outputs, ranks = {}, {}
    for name in file.outputs:
        dims = types[name].dims if name in types else None
        places = [axis for axis, size in enumerate(dims or ()) if times.get(size) == 1]
        if dims and dims[0] >= 0 and len(places) == 1:
            outputs[name], ranks[name] = places[0], len(dims)
    return _with_turned(file, {}, outputs, ranks)


def _with_turned(file: File, inputs: Mapping[str, int], outputs: Mapping[str, int], ranks: Mapping[str, int]) -> File:
    """Return a file some of whose inputs and outputs are turned so that an axis of theirs is the first."""
    turned = {**inputs, **outputs}
    written = {name for proto in file.nodes for name in proto.output}
    if not turned or set(inputs) & set(outputs) or not written.issuperset(outputs):
        return file
    names = {name: f"{name}:whole" for name in turned}
    nodes = [_renamed(proto, names) for proto in file.nodes]
    nodes += [_transpose(name, names[name], _back(axis, ranks[name])) for name, axis in inputs.items()]
    nodes += [_transpose(names[name], name, _front(axis, ranks[name])) for name, axis in outputs.items()]
    ports = tuple(_turned(port, inputs[port.name]) if port.name in inputs else port for port in file.inputs)
    names_turned = ", ".join(filter(None, (file.notes.get(NOTE, ""), *turned)))
    return replace(file, nodes=tuple(nodes), inputs=ports, notes={**file.notes, NOTE: names_turned})


def _place(dims: Dims, batch: str | int) -> int:
    """Return the axis that alone is the batch, 0 where that is the first one, or none, or not known."""
    alone = list(dims).count(batch) == 1 and (batch != "" or isinstance(dims[0], int))
    return list(dims).index(batch) if alone and dims[0] != batch else 0


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
