"""Nodes that depend on no image: computed while a file is read, so that weights and shapes can be reached behind them.

A Shape counts as constant too. Where the file leaves the batch free it is taken at a probe batch, a number that no
other dimension has, so that a Reshape that keeps the batch can be told from one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import TensorProto, numpy_helper

from qbench.graph.file import Array
from qbench.graph.node_reader import NodeReader


def _value(node: NodeReader) -> Array:
    """Read a Constant node in any of its spellings but strings and sparse tensors."""
    entry = node.attributes.get("value")
    if entry is not None:
        array: Array = numpy_helper.to_array(entry.t)
        return array
    if node.several("value_ints") is not None:
        return np.asarray(node.several("value_ints"), dtype=np.int64)
    if "value_float" in node.attributes:
        return np.asarray(node.number("value_float", 0.0), dtype=np.float32)
    if "value_floats" in node.attributes:
        return np.asarray(node.attributes["value_floats"].floats, dtype=np.float32)
    if "value_int" in node.attributes:
        return np.asarray(node.integer("value_int", 0), dtype=np.int64)
    raise node.fail("only numbers are covered as a constant's value")


def _first(node: NodeReader) -> Array:
    return node.array(0, "value")


def _transpose(node: NodeReader) -> Array:
    return np.transpose(node.array(0, "value"), node.several("perm"))


def _reshape(node: NodeReader) -> Array:
    array, shape = node.array(0, "value"), node.integers(1, "shape")
    sizes = [array.shape[i] if size == 0 and not node.integer("allowzero", 0) else size for i, size in enumerate(shape)]
    return array.reshape(sizes)


def _axes(node: NodeReader) -> tuple[int, ...]:
    axes = node.several("axes") if node.opset < 13 else (node.integers(1, "axes") if node.has(1) else None)
    if axes is None:
        raise node.fail("expected axes")
    return axes


def _squeeze(node: NodeReader) -> Array:
    return np.squeeze(node.array(0, "value"), _axes(node))


def _unsqueeze(node: NodeReader) -> Array:
    return np.expand_dims(node.array(0, "value"), _axes(node))


def _shape(node: NodeReader) -> Array:
    if node.integer("start", 0) or "end" in node.attributes:
        raise node.fail("start and end are not covered")
    sizes = node.array(0, "value").shape if node.is_constant(0) else (node.batch, *node.shape())
    return np.asarray(sizes, dtype=np.int64)


def _gather(node: NodeReader) -> Array:
    indices = node.array(1, "indices").astype(np.int64)
    return np.asarray(np.take(node.array(0, "value"), indices, axis=node.integer("axis", 0)))


def _concat(node: NodeReader) -> Array:
    arrays = [node.array(index, "value") for index in range(len(node.proto.input))]
    return np.concatenate(arrays, axis=node.integer("axis", 0))


def _slice(node: NodeReader) -> Array:
    if node.opset < 10 or node.array(0, "value").ndim != 1:
        raise node.fail("only slices of shapes are covered")
    start, stop = node.integers(1, "start")[0], node.integers(2, "end")[0]
    step = node.integers(4, "step")[0] if node.has(4) else 1
    return node.array(0, "value")[start:stop:step]


def _cast(node: NodeReader) -> Array:
    if node.integer("to", 0) not in (TensorProto.INT32, TensorProto.INT64) or node.array(0, "value").dtype.kind != "i":
        raise node.fail("only casts between whole numbers are covered")
    return node.array(0, "value").astype(np.int64)


def _mul(node: NodeReader) -> Array:
    first, second = (node.array(index, "value") for index in (0, 1))
    if first.dtype.kind != "i" or second.dtype.kind != "i":
        raise node.fail("of two constants only whole numbers are covered")
    return np.multiply(first.astype(np.int64), second.astype(np.int64))


FOLDABLE: Mapping[str, Callable[[NodeReader], Array]] = {
    "Cast": _cast, "Concat": _concat, "Constant": _value, "Dropout": _first, "Gather": _gather, "Identity": _first,
    "Mul": _mul, "Reshape": _reshape, "Shape": _shape, "Slice": _slice, "Squeeze": _squeeze, "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}  # fmt: skip


def fold_constant(node: NodeReader) -> Array | None:
    """Return the value of a node that depends on no image, None where it does or its operator is not folded."""
    given = all(node.is_constant(i) for i in range(len(node.proto.input)) if node.has(i))
    if node.op not in FOLDABLE or not (given or node.op == "Shape"):
        return None
    try:
        return FOLDABLE[node.op](node)
    except (ValueError, IndexError, TypeError) as error:
        raise node.fail(f"its constants do not fit: {error}") from error
