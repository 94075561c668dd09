"""Floats of other widths than 32 bits (float16, bfloat16, float64) become float32 once constants are folded.

Folding is done before, in the file's own types, so that shape arithmetic stays what it is. Casts between floats then
change nothing and vanish. What was widened is told in the network's metadata.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import is_

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper

from qbench.errors import ModelError
from qbench.graph.onnx.file import Array, File, Port, inner_array
from qbench.graph.onnx.survey import Survey
from qbench.graph.onnx.tensor_type import FLOAT

NOTE = "read_as_float32"
"""Key of the metadata that says what was of another type, e.g. `float16: 12 constants`."""

Kinds = Mapping[int, str]
OTHERS: Kinds = {
    TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16", TensorProto.DOUBLE: "float64",
}  # fmt: skip
BFLOAT16: Kinds = {TensorProto.BFLOAT16: "bfloat16"}

_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "output_datatype", "stash_type"})

_CONSTANTS = (math.sqrt(2), math.sqrt(0.5), math.sqrt(2 / math.pi), 0.044715, 1.702, 1 / 6)
MEANT = {float(np.float16(sign * value)): np.float32(sign * value) for value in _CONSTANTS for sign in (1, -1)}
"""What float16 made of the constants of gelu and its like -> the constant: functions are known by their values."""


def without_bfloat16(file: File) -> File:
    """Return a file with every bfloat16 as float32: older operator sets, which such files name, do not know it."""
    nodes = tuple(_widened_node(proto, BFLOAT16) for proto in file.nodes)
    held = [array for array in file.constants.values() if str(array.dtype) == "bfloat16"]
    if not held and all(map(is_, nodes, file.nodes)) and all(port.dtype not in BFLOAT16 for port in file.inputs):
        return file
    return replace(
        file, nodes=nodes, constants={name: _float32(name, array, BFLOAT16) for name, array in file.constants.items()},
        inputs=_ports(file, BFLOAT16), notes=_noted(file, Counter(bfloat16=len(held))),
    )  # fmt: skip


def widened(file: File, found: Survey) -> tuple[File, Survey]:
    """Return a file and its facts with every float in float32; as they came where all are already.

    Raises:
        ModelError: a number is beyond float32.
    """
    seen = {OTHERS[kind.dtype] for kind in found.types.values() if kind.dtype in OTHERS}
    if not seen:
        return file, found
    counted = Counter(str(array.dtype) for array in found.constants.values())
    constants = {name: _float32(name, array, OTHERS) for name, array in found.constants.items()}
    types = {name: replace(kind, dtype=_widest(kind.dtype, OTHERS)) for name, kind in found.types.items()}
    nodes = tuple(_widened_node(proto, OTHERS) for proto in found.nodes)
    file = replace(file, inputs=_ports(file, OTHERS), notes=_noted(file, {name: counted[name] for name in seen}))
    return file, replace(found, nodes=nodes, constants=constants, types=types)


def _noted(file: File, counted: Mapping[str, int]) -> dict[str, str]:
    words = ", ".join(f"{name}: {count} constants" for name, count in sorted(counted.items()))
    return {**file.notes, NOTE: ", ".join(filter(None, (file.notes.get(NOTE), words)))}


def _ports(file: File, kinds: Kinds) -> tuple[Port, ...]:
    return tuple(replace(port, dtype=_widest(port.dtype, kinds)) for port in file.inputs)


def _widest(dtype: int, kinds: Kinds) -> int:
    return FLOAT if dtype in kinds else dtype


def _float32(name: str, array: Array, kinds: Kinds) -> Array:
    if str(array.dtype) not in kinds.values():
        return array
    with np.errstate(over="ignore"):
        made = np.asarray(array, np.float32)
    if np.isinf(made).sum() > np.isinf(array.astype(np.float64)).sum():
        raise ModelError(f"constant '{name}': it holds {array.dtype} numbers beyond those of float32")
    if array.dtype == np.float16 and array.size == 1:
        return np.full(array.shape, MEANT.get(float(made.reshape(-1)[0]), made.reshape(-1)[0]), np.float32)
    return made


def _widened_node(proto: NodeProto, kinds: Kinds) -> NodeProto:
    """Return a node whose attributes and bodies speak of float32 alone."""
    if not any(_speaks(entry, kinds) for entry in proto.attribute):
        return proto
    changed = NodeProto()
    changed.CopyFrom(proto)
    for entry in changed.attribute:
        _widen(entry, kinds)
    return changed


def _speaks(entry: AttributeProto, kinds: Kinds) -> bool:
    """Whether an attribute names one of the types, holds a tensor of it, or a body that may."""
    if entry.name in _TYPE_ATTRIBUTES and entry.type == AttributeProto.INT:
        return entry.i in kinds
    if entry.type == AttributeProto.TENSOR:
        return entry.t.data_type in kinds
    return any(
        value.data_type in kinds if isinstance(value, TensorProto) else value.type.tensor_type.elem_type in kinds
        for body in _bodies(entry)
        for value in (*body.initializer, *body.input, *body.output, *body.value_info)
    ) or any(_speaks(inner, kinds) for body in _bodies(entry) for proto in body.node for inner in proto.attribute)


def _widen(entry: AttributeProto, kinds: Kinds) -> None:
    if entry.type == AttributeProto.INT and entry.name in _TYPE_ATTRIBUTES:
        entry.i = _widest(entry.i, kinds)
    if entry.type == AttributeProto.TENSOR:
        _widen_tensor(entry.t, kinds)
    for body in _bodies(entry):
        _widen_body(body, kinds)


def _bodies(entry: AttributeProto) -> Iterator[GraphProto]:
    if entry.type == AttributeProto.GRAPH:
        yield entry.g
    elif entry.type == AttributeProto.GRAPHS:
        yield from entry.graphs


def _widen_body(body: GraphProto, kinds: Kinds) -> None:
    for value in (*body.input, *body.output, *body.value_info):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.elem_type = _widest(value.type.tensor_type.elem_type, kinds)
    for tensor in body.initializer:
        _widen_tensor(tensor, kinds)
    for proto in body.node:
        for entry in proto.attribute:
            _widen(entry, kinds)


def _widen_tensor(tensor: TensorProto, kinds: Kinds) -> None:
    if tensor.data_type in kinds:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(_float32(name, inner_array(tensor), kinds), name))
