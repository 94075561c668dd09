"""Nodes that depend on no input: computed while a file is read, so that weights and shapes can be reached behind them.

The frequent ones are plain NumPy here; the others are computed by ONNX's own reference implementation. Nothing is
folded that would take much more memory than what it is made of.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from qbench.graph.onnx.draft import uncovered
from qbench.graph.onnx.file import Array
from qbench.graph.onnx.inference import STANDARD
from qbench.graph.onnx.tensor_type import TensorType
from qbench.graph.quantized.codes import Codes

MOST_GROWTH = 4 * 2**20
"""A folded constant may have so many numbers more than all that it is made of."""

REFERENCE = frozenset({
    "Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "ConstantOfShape", "Cos", "CumSum", "DequantizeLinear",
    "Div", "Einsum", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherND", "Gemm",
    "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mod", "Mul",
    "Neg", "Not", "OneHot", "Or", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Sigmoid",
    "Sign", "Sin", "Size", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose",
    "Trilu", "Unsqueeze", "Where", "Xor",
})  # fmt: skip
"""Operators that give the same for the same inputs, whose result is worth having while a file is read."""

TRUSTED = frozenset({"Add", "Div", "MatMul", "Mul", "Reshape", "Squeeze", "Sub", "Transpose", "Unsqueeze"})
"""Operators of these that fail only where the file is wrong."""

QUICK: Mapping[str, Callable[[NodeProto, Sequence[Array], Mapping[str, AttributeProto]], Array]] = {
    "Concat": lambda _, inputs, named: np.concatenate(inputs, axis=named["axis"].i),
    "Constant": lambda proto, _, named: _value(proto, named),
    "DequantizeLinear": lambda _, inputs, named: _dequantized(inputs, named),
    "Dropout": lambda _, inputs, named: inputs[0],
    "GatherElements": lambda _, inputs, named: _gather_elements(inputs, named),
    "Gather": lambda _, inputs, named: _gather(inputs, named),
    "Identity": lambda _, inputs, named: inputs[0],
}


def fold(
    proto: NodeProto, constants: Mapping[str, Array], known: Mapping[str, TensorType], *, opset: int, room: int
) -> (
    dict[str, Array] | None
):  # fmt: skip
    """Return the values that a node writes, where it reads only constants and is of those that are folded; else None.

    Args:
        proto: the node.
        constants: all constants so far; `Shape` and `Size` need none.
        known: the types of what the node reads and writes.
        opset: version of the standard operators.
        room: the most numbers that the result may have.
    """
    if proto.domain not in STANDARD:
        return None
    if proto.op_type in ("Shape", "Size"):
        return _sizes(proto, known)
    names = [name for name in proto.input if name]
    if proto.op_type not in QUICK.keys() | REFERENCE or not all(name in constants for name in names):
        return None
    inputs = [constants[name] for name in names]
    if not _worth(proto, inputs, known, room=room):
        return None
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the reference implementation warns of what the file may well mean
            if proto.op_type in QUICK and (names or proto.op_type == "Constant"):
                named = {entry.name: entry for entry in proto.attribute}
                values = [QUICK[proto.op_type](proto, inputs, named)]
            else:
                values = _reference(proto, inputs, opset)
    except NotImplementedError:
        return None
    except Exception as error:  # the reference implementation raises whatever NumPy does
        if proto.op_type not in QUICK.keys() | TRUSTED:
            return None  # the reference has faults of its own: whoever runs the node says what is wrong
        why = str(error).strip().split("\n", maxsplit=1)[0][:150]
        raise uncovered(_label(proto), proto.op_type, f"its constants do not fit: {why}") from error
    outputs = [name for name in proto.output if name]
    return dict(zip(outputs, (np.asarray(value) for value in values), strict=False))


def _worth(proto: NodeProto, inputs: Sequence[Array], known: Mapping[str, TensorType], *, room: int) -> bool:
    """Whether the size of the result is known and no more than a little above that of what it is made of."""
    if proto.op_type == "Constant":
        return True
    results = [known[name].dims for name in proto.output if name in known]
    if not results or any(dims is None or any(size < 0 for size in dims) for dims in results):
        return False
    made_of = sum({id(array): array.size for array in inputs}.values())
    return sum(math.prod(dims or ()) for dims in results) <= min(made_of + MOST_GROWTH, room)


def _label(proto: NodeProto) -> str:
    return str(proto.name or next(iter(proto.output), ""))


def _value(proto: NodeProto, named: Mapping[str, AttributeProto]) -> Array:
    """Read a Constant node in any of its spellings but strings and sparse tensors."""
    entry = next((named[key] for key in named if key.startswith("value")), None)
    if entry is not None and entry.name == "value" and entry.type == AttributeProto.TENSOR:
        if entry.t.data_location == TensorProto.EXTERNAL:
            raise ValueError("a constant's value cannot lie in another file")
        array: Array = numpy_helper.to_array(entry.t)
        return array
    if entry is not None and entry.name in ("value_int", "value_ints", "value_float", "value_floats"):
        kind = np.int64 if "int" in entry.name else np.float32
        return np.asarray(helper.get_attribute_value(entry), dtype=kind)
    raise ValueError("only numbers are covered as a constant's value")


def _gather(inputs: Sequence[Array], named: Mapping[str, AttributeProto]) -> Array:
    axis = named["axis"].i if "axis" in named else 0
    return np.asarray(np.take(inputs[0], inputs[1].astype(np.int64), axis=axis))


def _gather_elements(inputs: Sequence[Array], named: Mapping[str, AttributeProto]) -> Array:
    axis = named["axis"].i if "axis" in named else 0
    whole = tuple(
        slice(None) if at == axis % inputs[0].ndim else slice(size) for at, size in enumerate(inputs[1].shape)
    )
    return np.asarray(np.take_along_axis(inputs[0][whole], inputs[1].astype(np.int64), axis=axis))


def _dequantized(inputs: Sequence[Array], named: Mapping[str, AttributeProto]) -> Array:
    axis, block = (named[key].i if key in named else default for key, default in (("axis", 1), ("block_size", 0)))
    scale = inputs[1].astype(np.float32)
    zero = inputs[2].astype(np.float32) if len(inputs) > 2 else np.zeros_like(scale)
    axis = axis % max(1, inputs[0].ndim) if scale.ndim else 0
    return Codes("", inputs[0].astype(np.int64), scale, np.broadcast_to(zero, scale.shape), axis, block).real()


def _sizes(proto: NodeProto, known: Mapping[str, TensorType]) -> dict[str, Array] | None:
    dims = known.get(proto.input[0], TensorType(0, None)).dims
    if dims is None or any(size < 0 for size in dims):
        return None
    named = {entry.name: entry.i for entry in proto.attribute}
    if proto.op_type == "Size":
        return {proto.output[0]: np.asarray(math.prod(dims), np.int64)}
    return {proto.output[0]: np.asarray(dims[named.get("start", 0) : named.get("end")], np.int64)}


def _reference(proto: NodeProto, inputs: Sequence[Array], opset: int) -> list[Array]:
    """Compute a node by `onnx.reference`."""
    from onnx.reference import ReferenceEvaluator  # half a second to import: many files never need it

    names = list(dict.fromkeys(name for name in proto.input if name))
    feeds = {name: array for name, array in zip((n for n in proto.input if n), inputs, strict=True)}
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in names]
    outputs = [helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in proto.output if n]
    graph = helper.make_graph([proto], "constant", ports, outputs)
    try:
        evaluator = ReferenceEvaluator(graph, opsets={"": opset})
    except RuntimeError as error:  # some operators are there in their newer versions only
        raise NotImplementedError(str(error)) from error
    return list(evaluator.run(None, feeds))
