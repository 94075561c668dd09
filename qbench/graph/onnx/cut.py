"""Cut what has no typed node out of a file: neighbouring operators become one Foreign with an ONNX model of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import onnx
import onnx.version_converter
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from qbench.errors import ModelError
from qbench.graph.nodes import Foreign
from qbench.graph.onnx.draft import Affine, Draft, Raw, ZeroPad, reads, writes
from qbench.graph.onnx.file import File
from qbench.graph.onnx.inference import STANDARD
from qbench.graph.onnx.liveness import inputs_of_proto
from qbench.graph.onnx.survey import Survey
from qbench.graph.onnx.tensor_type import as_proto
from qbench.graph.order import in_order

NEWEST_RUN = 25
"""The newest operator set that onnxruntime 1.32 has kernels of throughout."""

OLDEST_WRITTEN, CONVERTED = 11, 13
"""The oldest operator set that typed nodes are written in, and the one that what is older is converted to."""

Members = Sequence[Raw]
T = TypeVar("T")


def cut_foreign(nodes: Sequence[Draft], *, outputs: Sequence[str], file: File, survey: Survey) -> tuple[Draft, ...]:
    """Return the nodes in an order in which they can run, every Raw (and what no pass took in) part of a Foreign."""
    ordered, waiting = in_order(_without_leftovers(nodes), reads=reads, writes=writes)
    assert not waiting, "a pass made a cycle"
    found_groups = neighbours(ordered, foreign=lambda node: isinstance(node, Raw), reads=reads, writes=writes)
    groups = [[node for node in group if isinstance(node, Raw)] for group in found_groups]
    readers: dict[str, set[int]] = {}
    owner = {id(raw): number for number, group in enumerate(groups) for raw in group}
    for node in ordered:
        for tensor in reads(node):
            readers.setdefault(tensor, set()).add(owner.get(id(node), -1))
    kept: list[Draft] = [node for node in ordered if not isinstance(node, Raw)]
    for number, group in enumerate(groups):
        made = [tensor for raw in group for tensor in raw.outputs]
        leaving = [t for t in made if t in outputs or readers.get(t, set()) - {number}]
        kept.append(_foreign(group, leaving, file, survey))
    return tuple(in_order(kept, reads=reads, writes=writes)[0])


def _without_leftovers(nodes: Sequence[Draft]) -> list[Draft]:
    """Return the nodes with every Affine and ZeroPad that is left as the Raw that it came from."""
    kept: list[Draft] = []
    for node in nodes:
        if isinstance(node, Affine | ZeroPad):
            assert node.raw is not None, "a draft without its node"
            kept.append(replace(node.raw, reads=(node.input,), outputs=(node.output,)))
        else:
            kept.append(node)
    return kept


def neighbours(
    nodes: Sequence[T], *, foreign: Callable[[T], bool], reads: Callable[[T], Sequence[str]],
    writes: Callable[[T], Sequence[str]],
) -> list[list[T]]:  # fmt: skip
    """Return the foreign nodes that can run as one: joined by tensors, with no other node on any way between them.

    A node's level counts the changes between typed and foreign on the longest way to it; two foreign nodes of one level
    have no typed node between them.

    Args:
        nodes: in topological order.
        foreign: whether a node is foreign.
        reads: the tensors that a node reads.
        writes: the tensors that a node writes.
    """
    level: dict[str, int] = {}
    writer: dict[str, int] = {}  # tensor -> number of the foreign node that writes it
    root: dict[int, int] = {}  # foreign node -> another of its group, or itself

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for number, node in enumerate(nodes):
        mine = foreign(node)
        height = max((level[t] + ((t in writer) != mine) for t in reads(node) if t in level), default=0)
        level.update(dict.fromkeys(writes(node), height))
        if mine:
            root[number] = number
            writer.update(dict.fromkeys(writes(node), number))
            for tensor in reads(node):
                if tensor in writer and level[tensor] == height:
                    root[find(writer[tensor])] = number
    groups: dict[int, list[T]] = {}
    for number in root:
        groups.setdefault(find(number), []).append(nodes[number])
    return list(groups.values())


def _foreign(group: Members, outputs: Sequence[str], file: File, survey: Survey) -> Foreign:
    made = {tensor for raw in group for tensor in raw.outputs}
    inputs = list(dict.fromkeys(t for raw in group for t in raw.reads if t not in made))
    protos: list[NodeProto] = []
    bridged: set[str] = set()
    for raw in group:
        for inner, outer in zip(raw.inputs, raw.reads, strict=True):
            if inner != outer and inner not in bridged and inner not in made:
                protos.append(helper.make_node("Identity", [outer], [inner], name=f"{inner}:bridge"))
                bridged.add(inner)
        protos.extend(raw.protos)
    named = [raw.name for raw in group if raw.name]
    model = _model(protos, inputs, outputs, file, survey)
    return Foreign(
        name=named[-1] if named else "", operators=tuple(p.op_type for raw in group for p in raw.protos),
        inputs=tuple(inputs), outputs=tuple(outputs), model=model.SerializeToString(deterministic=True),
        opset=next((entry.version for entry in model.opset_import if entry.domain in STANDARD), file.opset),
        reasons=tuple(raw.reason for raw in group),
    )  # fmt: skip


def _model(
    protos: Sequence[NodeProto], inputs: Sequence[str], outputs: Sequence[str], file: File, survey: Survey
) -> onnx.ModelProto:
    constants = dict.fromkeys(t for proto in protos for t in inputs_of_proto(proto) if t in survey.constants)
    for tensor in (*inputs, *outputs):
        if tensor in survey.types and survey.types[tensor].dtype == TensorProto.STRING:
            raise ModelError(f"tensor '{tensor}' holds text; expected numbers")
    graph = helper.make_graph(
        list(protos), "foreign", [_port(name, survey) for name in inputs], [_port(name, survey) for name in outputs],
        [numpy_helper.from_array(survey.constants[name], name) for name in constants],
    )  # fmt: skip
    model = onnx.ModelProto()
    model.graph.CopyFrom(graph)
    model.ir_version = file.model.ir_version
    used = {proto.domain for proto in protos} | {""}
    for entry in file.model.opset_import:
        if entry.domain in (*STANDARD, *used) or any(a.HasField("g") for p in protos for a in p.attribute):
            model.opset_import.add(domain=entry.domain, version=entry.version)
    if model.ByteSize() >= 2**31 - 1:
        raise ModelError("its part without typed nodes is larger than 2 GiB")
    return _runnable(model)


def _runnable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of an operator set that onnxruntime knows and typed nodes are written in, where one can say it."""
    version = max((entry.version for entry in model.opset_import if entry.domain in STANDARD), default=NEWEST_RUN)
    has_bodies = any(entry.HasField("g") or entry.graphs for proto in model.graph.node for entry in proto.attribute)
    if OLDEST_WRITTEN <= version <= NEWEST_RUN or (version < OLDEST_WRITTEN and has_bodies):  # bodies would stay old
        return model
    model.ir_version = max(model.ir_version, 4)  # before, the converter takes initializers for inputs
    try:
        return onnx.version_converter.convert_version(model, NEWEST_RUN if version > NEWEST_RUN else CONVERTED)
    except (RuntimeError, ValueError, onnx.version_converter.ConvertError):
        return model  # something in it is new, or gone, indeed: onnxruntime will say what


def _port(name: str, survey: Survey) -> ValueInfoProto:
    value = ValueInfoProto()
    value.name = name
    known = survey.types.get(name)
    if known is not None and known.dtype:
        value.type.CopyFrom(as_proto(known.dtype, known.dims))
    return value


def identity_raw(source: str, output: str, *, constant: bool) -> Raw:
    """Return the node that gives an output of its own to a tensor that is an input, a constant, or another output."""
    proto = helper.make_node("Identity", [source], [output], name=f"{output}:identity")
    reads = () if constant else (source,)
    what = "a constant" if constant else "another tensor as it is"
    return Raw("", (proto,), reads, reads, (output,), f"output '{output}': it is {what}")
