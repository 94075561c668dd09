"""Read an ONNX file into a `Network`: check, infer shapes, fold, fuse, name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qbench.errors import ModelError
from qbench.graph.constants import fold_constant
from qbench.graph.draft import Affine, Alias, Draft, ZeroPad, reads
from qbench.graph.file import File, read_file
from qbench.graph.liveness import live_nodes
from qbench.graph.network import Network, Node, Shape
from qbench.graph.node_reader import NodeReader
from qbench.graph.operators import OPERATORS
from qbench.graph.passes.activation import fuse_activation
from qbench.graph.passes.affine import fold_affine
from qbench.graph.passes.identity import drop_aliases
from qbench.graph.passes.naming import name_nodes
from qbench.graph.passes.padding import merge_padding
from qbench.graph.passes.residual import fuse_residual
from qbench.graph.shapes import shape_after

PROBE_BATCH = 7919  # stands for a free batch in computed shapes; a prime that no other dimension will equal


def read_onnx(path: Path) -> Network:
    """Return the network of an ONNX file, fused.

    Batch normalization, biases and constant sums and products are folded into weights; clamps and residual sums are
    fused into the layer before them; names are readable (`blocks.3.shortcut`).

    Raises:
        ModelError: one line with the path, and the node and operator where one is at fault.
    """
    try:
        return _network(read_file(path), path.stem)
    except ModelError as error:
        line = "".join(letter if letter.isprintable() else "?" for letter in str(error))  # names can hold anything
        raise ModelError(f"{path}: {line}") from error


def _network(file: File, name: str) -> Network:
    nodes, output = _fused(*_drafts(file), source=file.source)
    if not nodes:
        raise ModelError("expected a network, got one that returns its input")
    named = name_nodes(nodes, ends={file.source: file.source, output: file.output})
    return Network(
        name=name, input=file.source, input_shape=file.source_shape, output=named[-1].output,
        nodes=named, shapes=_shapes(named, file), sha256=file.sha256,
        metadata={entry.key: entry.value for entry in file.model.metadata_props},
    )  # fmt: skip


def _fused(drafts: tuple[Draft, ...], output: str, *, source: str) -> tuple[tuple[Node, ...], str]:
    """Run the passes in the one order that lets each see what it needs."""
    nodes, output = drop_aliases(drafts, source=source, output=output)
    nodes = fold_affine(nodes, output=output)
    nodes = merge_padding(nodes, output=output)
    nodes = fuse_residual(nodes, output=output)
    nodes = fuse_activation(nodes, output=output)
    typed = tuple(node for node in nodes if not isinstance(node, Affine | ZeroPad | Alias))
    assert len(typed) == len(nodes), "a pass left a draft"
    return typed, output


def _shapes(nodes: tuple[Node, ...], file: File) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {file.source: file.source_shape}
    for node in nodes:
        shapes[node.output] = _shape(node, shapes)
    return shapes


def _shape(node: Draft, shapes: Mapping[str, Shape]) -> Shape:
    first, *others = (shapes[tensor] for tensor in reads(node))
    return shape_after(node, first, others[0] if others else None)


def _drafts(file: File) -> tuple[tuple[Draft, ...], str]:
    """Return the live nodes of a file as drafts in topological order, and the output tensor."""
    shapes: dict[str, Shape] = {file.source: file.source_shape}
    constants = dict(file.constants)
    drafts: list[Draft] = []
    for proto in live_nodes(file):
        node = NodeReader(proto, file.opset, constants, shapes, file.batch or PROBE_BATCH)
        if proto.domain not in ("", "ai.onnx"):
            raise node.fail(f"operators of domain '{proto.domain}' are not covered")
        value = fold_constant(node)
        if value is not None:
            constants[node.output] = value
            continue
        if node.op not in OPERATORS:
            raise node.fail(f"this operator is not covered; covered: {', '.join(sorted(OPERATORS))}")
        made = OPERATORS[node.op](node)
        for draft in made if isinstance(made, tuple) else (made,):
            shapes[draft.output] = _shape(draft, shapes)
            drafts.append(draft)
    if file.output in constants:
        raise ModelError(f"output '{file.output}' is a constant; expected it to come from input '{file.source}'")
    return tuple(drafts), file.output
