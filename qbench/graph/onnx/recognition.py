"""From drafts of single operators to drafts of units: patterns in their order, and outputs with nodes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qbench.errors import ModelError
from qbench.graph.onnx.cut import identity_raw
from qbench.graph.onnx.draft import Draft, reads, writes
from qbench.graph.onnx.file import File
from qbench.graph.onnx.survey import Survey
from qbench.graph.passes.identity import drop_aliases
from qbench.graph.patterns.attention import fuse_attention
from qbench.graph.patterns.functions import fuse_functions
from qbench.graph.patterns.group_norm import fuse_group_norms
from qbench.graph.patterns.layer_norm import fuse_layer_norms
from qbench.graph.patterns.moves import fuse_flattened, fuse_moves
from qbench.graph.patterns.recurrent import split_recurrences
from qbench.graph.patterns.regions import channels_first_inputs, turn_regions
from qbench.graph.patterns.rows import as_single_rows, seen_as_tokens, without_round_trips
from qbench.graph.patterns.transposed import split_transposed
from qbench.graph.patterns.web import Web

Outputs = tuple[str, ...]


def recognize(
    file: File, found: Survey, drafts: Sequence[Draft], *, trivial: bool, regions: bool, inputs: bool
) -> tuple[File, Sequence[Draft], Outputs]:
    """Return the nodes that an output depends on, one in the place of many that spell it, and the outputs' tensors.

    Args:
        file: the file; it comes back with a note where an input is turned.
        found: its facts; new tensors are added.
        drafts: a draft of every node, in topological order.
        trivial: whether outputs may be constants, or inputs as they are.
        regions: whether regions may see their tensors with other axes.
        inputs: whether inputs may.

    Raises:
        ModelError: nothing is left to compute.
    """
    nodes, outputs = _plain(drafts, file.outputs, file, found, trivial=trivial)
    web = Web(nodes, outputs=outputs, found=found, opset=file.opset)
    fuse_functions(web)
    fuse_layer_norms(web)
    fuse_group_norms(web)
    if regions:
        nodes, outputs = _plain(turn_regions(web), outputs, file, found, trivial=trivial)
        web = Web(nodes, outputs=outputs, found=found, opset=file.opset)
        web = web.again(split_transposed(web.again(seen_as_tokens(web))))
    web = web.again(as_single_rows(web.again(split_recurrences(web))))
    fuse_moves(web)
    fuse_flattened(web)
    web = fuse_attention(web)
    nodes, outputs = _plain(without_round_trips(web), outputs, file, found, trivial=trivial)
    if inputs:
        names = [port.name for port in file.inputs]
        nodes, turned = channels_first_inputs(nodes, found.types, names, outputs=outputs)
        if turned:
            file = replace(file, notes={**file.notes, "channels_last_inputs": ", ".join(turned)})
            nodes, outputs = _plain(nodes, outputs, file, found, trivial=trivial)
    return file, nodes, outputs


def _plain(
    nodes: Sequence[Draft], outputs: Outputs, file: File, found: Survey, *, trivial: bool
) -> tuple[list[Draft], Outputs]:
    """Return the live nodes without aliases, and the outputs' tensors."""
    kept, outputs = drop_aliases(nodes, outputs=outputs)
    return _with_own_outputs(_live(kept, outputs), file, found, outputs, trivial=trivial)


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
