"""Read an ONNX file into a `Network`: check, tell shapes, fold, recognize, fuse, cut, name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from onnx import ModelProto, NodeProto

from qbench.errors import ModelError
from qbench.graph.branches import take_branches
from qbench.graph.cut import cut_foreign, identity_raw
from qbench.graph.draft import Affine, Alias, Draft, Raw, UntypedError, ZeroPad, reads, writes
from qbench.graph.file import File, as_file, read_file
from qbench.graph.inference import STANDARD
from qbench.graph.liveness import inputs_of_proto, live_nodes
from qbench.graph.network import Network
from qbench.graph.node_reader import NodeReader
from qbench.graph.nodes import Conv, Foreign, Node, Shape
from qbench.graph.normalize import with_constant_shape
from qbench.graph.operators import OPERATORS
from qbench.graph.passes.activation import fuse_activation
from qbench.graph.passes.affine import fold_affine
from qbench.graph.passes.identity import drop_aliases
from qbench.graph.passes.naming import name_nodes
from qbench.graph.passes.padding import merge_padding
from qbench.graph.passes.residual import fuse_residual
from qbench.graph.patterns.attention import fuse_attention
from qbench.graph.patterns.functions import fuse_functions
from qbench.graph.patterns.layer_norm import fuse_layer_norms
from qbench.graph.patterns.moves import fuse_moves
from qbench.graph.patterns.web import Web
from qbench.graph.shapes import shape_after
from qbench.graph.survey import Survey, survey
from qbench.graph.tensor_type import FLOAT, TensorType

Shapes = dict[str, Shape]
Names = dict[str, str]
NO_SHAPES: Mapping[str, Shape] = {}


def read_onnx(path: Path, *, shapes: Mapping[str, Shape] = NO_SHAPES) -> Network:
    """Return the network of an ONNX file, fused.

    Batch normalization, biases and constant sums and products are folded into weights; clamps and residual sums are
    fused into the layer before them; names are readable (`blocks.3.shortcut`). Operators without a typed node become
    `Foreign` nodes.

    Args:
        path: the file.
        shapes: input -> shape without its batch, for inputs that the file leaves free.

    Raises:
        ModelError: one line with the path, and the node and operator where one is at fault.
    """
    try:
        return network_and_names(read_file(path), path.stem, shapes=shapes)[0]
    except ModelError as error:
        raise named_error(path, error) from error


def named_error(path: Path, error: ModelError) -> ModelError:
    """Return an error with the file's path before its line, whatever letters the names in it hold."""
    return ModelError(f"{path}: {''.join(letter if letter.isprintable() else '?' for letter in str(error))}")


def network_of_model(model: ModelProto, name: str) -> Network:
    """Return the network of a model in memory, its weights inside; networks of constants alone are allowed."""
    return network_and_names(as_file(model, Path(), ""), name, trivial=True)[0]


def network_and_names(
    file: File, name: str, *, shapes: Mapping[str, Shape] = NO_SHAPES, trivial: bool = False, residuals: bool = True
) -> tuple[Network, Names]:
    """Return the network of a checked file, and the names that the file's tensors have in it.

    Args:
        file: from `read_file`.
        name: the network's name.
        shapes: input -> shape without its batch, for inputs that the file leaves free.
        trivial: whether outputs may be constants, or inputs as they are.
        residuals: whether convolutions take in the additions after them.
    """
    _check_images(file, shapes)
    file, found = _surveyed(file, shapes)
    drafts, known = _drafts(file, found)
    kept, outputs = drop_aliases(drafts, outputs=file.outputs)
    live, outputs = _with_own_outputs(_live(kept, outputs), file, found, outputs, trivial=trivial)
    recognized = _recognized(live, outputs, found, opset=file.opset)
    fused, before = _fused(recognized, outputs, known, residuals=residuals)
    whole = _typed(cut_foreign(fused, outputs=outputs, file=file, found=found))
    ends = {port.name: port.name for port in file.inputs} | dict(zip(outputs, file.outputs, strict=True))
    named = name_nodes(whole, ends=ends)
    network = _assembled(file, found, name, whole=whole, named=named)
    return network, _names(file, (drafts, recognized), whole, named, before)


def _names(
    file: File, drafts: tuple[Sequence[Draft], Sequence[Draft]], whole: Sequence[Node], named: Sequence[Node],
    before: Names,
) -> Names:  # fmt: skip
    """Return what the file's tensors are called in the network; `before` tells those before a residual is added."""
    final = {port.name: port.name for port in file.inputs}
    for old, new in zip(whole, named, strict=True):
        final.update(zip(writes(old), writes(new), strict=True))
        if isinstance(old, Conv) and old.output in before:
            final[before[old.output]] = f"{new.name}:pre_add"
    names = dict(final)
    for draft in drafts[0]:
        if isinstance(draft, Alias) and draft.input in names:
            names[draft.output] = names[draft.input]
    return names


def _surveyed(file: File, shapes: Mapping[str, Shape]) -> tuple[File, Survey]:
    """Tell what can be told; where that decides an If, once more with its branch in its place."""
    while True:
        found = survey(file, live_nodes(file), shapes=shapes)
        constants = dict(file.constants)
        nodes = take_branches(found.nodes, found.constants, constants=constants)
        if nodes is None:
            return file, found
        constants.update({name: value for name, value in found.constants.items() if name not in constants})
        file = replace(file, nodes=tuple(nodes), constants=constants)


def _check_images(file: File, shapes: Mapping[str, Shape]) -> None:
    """Refuse images whose sizes neither the file nor the caller tells: nothing could be planned for them."""
    for port in file.inputs:
        dims = (*port.dims[:1], *shapes[port.name]) if port.name in shapes else port.dims
        if len(dims) == 4 and port.dtype == FLOAT and not all(isinstance(d, int) and d > 0 for d in dims[1:]):
            shown = ["?" if size == "" else size for size in dims]
            raise ModelError(f"input '{port.name}': expected (batch, c, h, w) with fixed c, h, w, got {shown}")


def _drafts(file: File, found: Survey) -> tuple[tuple[Draft, ...], Shapes]:
    """Return a draft of every node, and the shapes of what they write."""
    used = {*file.outputs, *(tensor for proto in found.nodes for tensor in inputs_of_proto(proto))}
    known = {name: kind.shape for name, kind in found.types.items()}
    drafts: list[Draft] = []
    for proto in found.nodes:
        node = NodeReader(with_constant_shape(_trimmed(proto, used), found), file.opset, found.constants, found.types)
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


def _live(nodes: Sequence[Draft], outputs: Sequence[str]) -> list[Draft]:
    """Return the nodes that an output depends on."""
    wanted = set(outputs)
    kept: list[Draft] = []
    for node in reversed(nodes):
        if wanted.intersection(writes(node)):
            wanted.update(reads(node))
            kept.append(node)
    return kept[::-1]


def _with_own_outputs(
    nodes: list[Draft], file: File, found: Survey, outputs: Sequence[str], *, trivial: bool
) -> tuple[list[Draft], tuple[str, ...]]:
    """Give outputs that no node writes, or that are one tensor, a node of their own; refuse a network of only such."""
    written = {tensor for node in nodes for tensor in writes(node)}
    owned: list[str] = []
    for name, tensor in zip(file.outputs, outputs, strict=True):
        constant = tensor in found.constants
        if (tensor in written and tensor not in owned) or (nodes and name == tensor and not constant):
            owned.append(tensor)
            continue
        if not nodes and not trivial:
            what = "is a constant" if constant else "returns its input"
            raise ModelError(f"expected a network, got one whose output '{name}' {what}")
        proper = name if name != tensor else f"{name}:output"
        nodes.append(identity_raw(tensor, proper, constant=constant))
        found.types[proper] = found.types[tensor]
        owned.append(proper)
    return nodes, tuple(owned)


def _recognized(nodes: Sequence[Draft], outputs: Sequence[str], found: Survey, *, opset: int) -> Sequence[Draft]:
    """Put one node in the place of many that spell it."""
    web = Web(nodes, outputs=outputs, found=found, opset=opset)
    fuse_functions(web)
    fuse_layer_norms(web)
    fuse_moves(web)
    fuse_attention(web)
    return _live(drop_aliases(web.nodes, outputs=outputs)[0], outputs)


def _fused(
    nodes: Sequence[Draft], outputs: Sequence[str], shapes: Shapes, *, residuals: bool
) -> tuple[tuple[Draft, ...], Names]:
    """Run the passes in the one order that lets each see what it needs.

    Returns:
        The nodes; and by what each convolution with a residual writes, what it wrote before it took the residual in.
    """
    nodes = fold_affine(nodes, outputs=outputs, shapes=shapes)
    nodes = merge_padding(nodes, outputs=outputs)
    sums = {id(node.weight): node.output for node in nodes if isinstance(node, Conv)}
    nodes = fuse_residual(nodes, outputs=outputs) if residuals else nodes
    fused = fuse_activation(nodes, outputs=outputs)
    hosts = [node for node in fused if isinstance(node, Conv) and node.residual is not None]
    return fused, {node.output: sums[id(node.weight)] for node in hosts}


def _typed(nodes: Sequence[Draft]) -> tuple[Node, ...]:
    typed = tuple(node for node in nodes if not isinstance(node, Affine | ZeroPad | Alias | Raw))
    assert len(typed) == len(nodes), "a pass left a draft"
    return typed


def _assembled(file: File, found: Survey, name: str, *, whole: Sequence[Node], named: tuple[Node, ...]) -> Network:
    """Return the network; `whole` are the nodes before they were `named`, by whose tensors `found` is asked."""
    types: dict[str, TensorType] = {}
    shapes: Shapes = {}
    for port in file.inputs:
        types[port.name], shapes[port.name] = found.types[port.name], found.types[port.name].shape
    for old, new in zip(whole, named, strict=True):
        for before, after in zip(writes(old), writes(new), strict=True):
            if isinstance(new, Foreign):
                types[after] = found.types.get(before, TensorType(0, None))
                shapes[after] = types[after].shape
            else:
                types[after] = TensorType(FLOAT, (-2, *shapes_of(new, shapes)))
                shapes[after] = shapes_of(new, shapes)
    inputs = tuple(port.name for port in file.inputs)
    first = inputs[0] if inputs else ""
    return Network(
        name=name, input=first, input_shape=shapes.get(first, ()), output=file.outputs[0], nodes=named, shapes=shapes,
        metadata={entry.key: entry.value for entry in file.model.metadata_props}, sha256=file.sha256,
        inputs=inputs, outputs=file.outputs, batch=found.batch,
        dtypes={tensor: kind.dtype_name for tensor, kind in types.items() if kind.dtype != FLOAT},
        unbatched=frozenset(tensor for tensor, kind in types.items() if not kind.has_batch),
    )  # fmt: skip


def shapes_of(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    """Return the shape that a typed node writes, given those of what it reads."""
    return shape_after(node, [shapes[tensor] for tensor in reads(node)])
