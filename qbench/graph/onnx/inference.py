"""The types of what one node writes, from those of what it reads: ONNX's own inference, and a table for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper, shape_inference

from qbench.graph.nodes import FREE, MOST_ELEMENTS
from qbench.graph.onnx.draft import uncovered
from qbench.graph.onnx.file import Array
from qbench.graph.onnx.tensor_type import TensorType, as_proto, from_proto

SMALL = 4096
"""Constants of at most so many numbers are shown to the inference: shapes, axes, pads."""

STANDARD = ("", "ai.onnx")
Types = Mapping[str, TensorType]

_CHECKED_ERRORS = (shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError, TypeError)


def _like_first(inputs: Sequence[TensorType]) -> TensorType:
    return inputs[0]


def _widest(inputs: Sequence[TensorType]) -> TensorType:
    ranks = [len(t.dims) for t in inputs if t.dims is not None]
    if len(ranks) != len(inputs):
        return TensorType(inputs[0].dtype, None)
    rows = [(1,) * (max(ranks) - len(t.dims or ())) + (t.dims or ()) for t in inputs]
    dims = tuple(max(column) if FREE not in column else FREE for column in zip(*rows, strict=True))
    return TensorType(inputs[0].dtype, dims)


MICROSOFT: Mapping[str, Callable[[Sequence[TensorType]], TensorType]] = {
    "BiasGelu": _like_first, "FastGelu": _like_first, "Gelu": _like_first, "QuickGelu": _like_first,
    "QLinearLeakyRelu": _like_first, "QLinearSigmoid": _like_first, "QLinearSoftmax": _like_first,
    "QLinearAdd": lambda inputs: _widest((inputs[0], inputs[3])),
    "QLinearMul": lambda inputs: _widest((inputs[0], inputs[3])),
    "SkipLayerNormalization": _like_first,
    "QuantizeLinear": lambda inputs: TensorType(inputs[2].dtype, inputs[0].dims),
    "DequantizeLinear": lambda inputs: TensorType(TensorProto.FLOAT, inputs[0].dims),
}  # fmt: skip
"""Operators of onnxruntime's own domain whose first output has a shape that is easily inferred."""


LIKE_FIRST = frozenset({"GroupNormalization", "MeanVarianceNormalization", "RMSNormalization"})
"""Standard operators that are functions, of which ONNX's inference says nothing: they write what they read."""


def infer(
    proto: NodeProto, types: Types, constants: Mapping[str, Array], *, opsets: Mapping[str, int], ir_version: int
) -> dict[str, TensorType]:
    """Return the type of every tensor that a node writes, unknown where nothing says it.

    Raises:
        ModelError: the operator does not exist, its attributes are not its own, or its inputs do not fit together.
    """
    label = proto.name or next(iter(proto.output), "")
    if proto.domain not in STANDARD:
        return _infer_other(proto, types)
    version = opsets[""]
    try:
        schema = onnx.defs.get_schema(proto.op_type, version, "")
    except onnx.defs.SchemaError:
        raise uncovered(label, proto.op_type, f"no such operator in operator set {version}") from None
    bodies = any(entry.HasField("g") or entry.graphs for entry in proto.attribute)
    try:
        if not bodies:  # the checker would have to know the names that bodies take from outside
            _check_node(proto, opsets=opsets, ir_version=ir_version)
        found = shape_inference.infer_node_outputs(
            schema,
            proto,
            {name: as_proto(known.dtype, known.dims) for name, known in types.items() if known.dtype},
            {
                name: numpy_helper.from_array(constants[name], name)
                for name in proto.input
                if name in constants and constants[name].size <= SMALL and constants[name].dtype.kind in "iufb"
            },
            opset_imports=[helper.make_opsetid(domain, number) for domain, number in opsets.items()],
            ir_version=ir_version,
        )
    except KeyError:
        found = {}  # a tensor whose type is not known, or a sequence: nothing can be said of what follows
    except _CHECKED_ERRORS as error:
        raise uncovered(label, proto.op_type, one_line(error)) from error
    return _completed(proto, {name: from_proto(kind) for name, kind in found.items()}, types)


def _completed(proto: NodeProto, found: Types, types: Types) -> dict[str, TensorType]:
    """Return a type for every tensor that a node writes, and refuse absurd sizes."""
    known = {name: found.get(name, TensorType(0, None)) for name in proto.output if name}
    if proto.op_type in LIKE_FIRST and known[proto.output[0]].dims is None and proto.input[0] in types:
        known[proto.output[0]] = types[proto.input[0]]
    for name, kind in known.items():
        _check_size(proto, name, kind)
    return known


def one_line(error: Exception) -> str:
    """Return the last line of a message that holds words: the C++ checkers put the cause there, after a trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("==>")]
    return (lines[0] if lines else type(error).__name__)[:200]


def _infer_other(proto: NodeProto, types: Types) -> dict[str, TensorType]:
    rule = MICROSOFT.get(proto.op_type) if proto.domain == "com.microsoft" else None
    unknown = {name: TensorType(0, None) for name in proto.output if name}
    inputs = [types.get(name, TensorType(0, None)) for name in proto.input]
    if rule is not None:
        try:
            unknown[proto.output[0]] = rule(inputs)
        except IndexError:
            raise uncovered(proto.name or proto.output[0], proto.op_type, "has too few inputs") from None
    return unknown


def _check_node(proto: NodeProto, *, opsets: Mapping[str, int], ir_version: int) -> None:
    context = onnx.checker.C.CheckerContext()
    context.ir_version = ir_version
    context.opset_imports = dict(opsets)
    onnx.checker.check_node(proto, context)


def _check_size(proto: NodeProto, name: str, kind: TensorType) -> None:
    if kind.dims is None:
        return
    count = math.prod(size for size in kind.dims if size >= 0)
    if count > 32 * MOST_ELEMENTS:  # the probes count up to 29 images
        message = f"writes '{name}' of {count} numbers; expected at most {MOST_ELEMENTS} an image"
        raise uncovered(proto.name or name, proto.op_type, message)
