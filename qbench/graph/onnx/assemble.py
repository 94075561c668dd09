"""From named nodes to a `Network`: shapes, types, and what the file's tensors are called in it."""

from __future__ import annotations

from collections.abc import Sequence

from qbench.graph.network import Network
from qbench.graph.nodes import Conv, Foreign, Node, Shape
from qbench.graph.onnx.draft import Alias, Draft, reads, writes
from qbench.graph.onnx.file import File
from qbench.graph.onnx.survey import Survey
from qbench.graph.onnx.tensor_type import BATCH, FLOAT, TensorType
from qbench.graph.shapes import shapes_after

Shapes = dict[str, Shape]
Names = dict[str, str]


def names_of(
    file: File, drafts: Sequence[Draft], *, whole: Sequence[Node], named: Sequence[Node], before: Names
) -> Names:
    """Return what the file's tensors are called in the network; `before` holds those before a residual is added."""
    final = {port.name: port.name for port in file.inputs}
    for old, new in zip(whole, named, strict=True):
        final.update(zip(writes(old), writes(new), strict=True))
        if isinstance(old, Conv) and old.output in before:
            final[before[old.output]] = f"{new.name}:pre_add"
    names = dict(final)
    for draft in drafts:
        if isinstance(draft, Alias) and draft.input in names:
            names[draft.output] = names[draft.input]
    return names


def assembled(file: File, found: Survey, name: str, *, whole: Sequence[Node], named: tuple[Node, ...]) -> Network:
    """Return the network; `whole` are the nodes before they were `named`, by whose tensors `found` is asked."""
    types: dict[str, TensorType] = {}
    shapes: Shapes = {}
    for port in file.inputs:
        types[port.name], shapes[port.name] = found.types[port.name], found.types[port.name].shape
    for old, new in zip(whole, named, strict=True):
        if not isinstance(new, Foreign):
            made = dict(zip(writes(new), shapes_after(new, [shapes[tensor] for tensor in reads(new)]), strict=True))
            shapes |= made
            types |= {tensor: TensorType(FLOAT, (BATCH, *shape)) for tensor, shape in made.items()}
            continue
        for before, after in zip(writes(old), writes(new), strict=True):
            types[after] = found.types.get(before, TensorType(0, None))
            shapes[after] = types[after].shape
    inputs = tuple(port.name for port in file.inputs)
    first = inputs[0] if inputs else ""
    return Network(
        name=name, input=first, input_shape=shapes.get(first, ()), output=file.outputs[0], nodes=named, shapes=shapes,
        metadata={**{entry.key: entry.value for entry in file.model.metadata_props}, **file.notes}, sha256=file.sha256,
        inputs=inputs, outputs=file.outputs, batch=found.batch,
        dtypes={tensor: kind.dtype_name for tensor, kind in types.items() if kind.dtype != FLOAT},
        unbatched=frozenset(tensor for tensor, kind in types.items() if not kind.has_batch),
    )  # fmt: skip
