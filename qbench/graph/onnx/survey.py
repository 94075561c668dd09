"""Static facts of an ONNX file: constants, and the type of every tensor.

Free (dynamic) sizes are found by propagating shapes twice with different values: whatever differs is free. So shape
arithmetic of any kind folds away, and a Reshape that keeps the batch is distinguished from one that does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, helper

from qbench.errors import ModelError
from qbench.graph.nodes import FREE, Shape
from qbench.graph.onnx.branches import taken_branch
from qbench.graph.onnx.constants import fold
from qbench.graph.onnx.file import Array, File, inner_array
from qbench.graph.onnx.inference import STANDARD, infer
from qbench.graph.onnx.tensor_type import BATCH, TensorType, from_proto

PROBES = (23, 29)
"""Batches of the two walks: primes that are rarely a size of anything else."""

FREE_STEPS = (64, 8)
"""Other free sizes are multiples of the first, so that halving and doubling them fits; where a table of positions is
shorter than that, of the second."""

FAR = 32
WINDOWS = frozenset({"AveragePool", "Conv", "ConvInteger", "ConvTranspose", "LpPool", "MaxPool", "QLinearConv", "STFT"})
"""Operators behind which short free sizes may look fixed; then a third walk has sizes FAR times as large."""

MOST_FOLDED = 32 * 2**20
"""All folded constants together may have so many numbers, and two for each that the file holds."""

Sizes = dict[str, Shape]


@dataclass(frozen=True, slots=True)
class Survey:
    """Nodes that are not folded, in order, and what is known of all tensors.

    Args:
        nodes: every node that is no constant; a Reshape to a fixed batch keeps any batch where `batch` is None.
        constants: values that depend on no input and on no free size.
        types: of every tensor.
        batch: the batch that the file is fixed to, None where any will do.
        opsets: domain -> version.
        origins: folded constant -> the file's constant that it is another form of.
        multiples: a free size, as `types` numbers it -> how many times the batch it is.
    """

    nodes: tuple[NodeProto, ...]
    constants: dict[str, Array]
    types: dict[str, TensorType]
    batch: int | None
    opsets: dict[str, int]
    origins: dict[str, str]
    multiples: dict[int, int] = field(default_factory=dict)


def survey(file: File, nodes: Sequence[NodeProto], *, shapes: Mapping[str, Shape]) -> Survey:
    """Return the static facts of a file whose live nodes are `nodes`; `shapes` fixes inputs' shapes without batch.

    A file that is fixed to a batch is read for any batch, if that leads to outputs that each have a batch.
    """
    fixed = _fixed_batch(file)
    if fixed is None:
        try:
            return _survey(file, nodes, shapes=shapes, batch=None, fixed=None)
        except ModelError:
            if all(isinstance(size, int) for port in file.inputs for size in port.dims[1:]):
                raise
        return _survey(file, nodes, shapes=shapes, batch=None, fixed=None, step=FREE_STEPS[1])
    with suppress(ModelError):  # it needs its batch: the walk below succeeds, or says what is wrong
        found = _survey(file, nodes, shapes=shapes, batch=None, fixed=fixed)
        if all(found.types[name].has_batch for name in file.outputs if name not in found.constants):
            return found
    return _survey(file, nodes, shapes=shapes, batch=fixed, fixed=fixed)


def _fixed_batch(file: File) -> int | None:
    """Return the first size of all inputs where it is the same number for all of them."""
    firsts = {port.dims[0] if port.dims else "" for port in file.inputs}
    first = next(iter(firsts), "")
    return first if len(firsts) == 1 and isinstance(first, int) else None


def _survey(
    file: File,
    nodes: Sequence[NodeProto],
    *,
    shapes: Mapping[str, Shape],
    batch: int | None,
    fixed: int | None,
    step: int = FREE_STEPS[0],
) -> Survey:
    """Walk twice and merge; `fixed` is the batch of the file, `batch` the one to keep, None to read it for any."""
    free = batch is None
    walks: list[_Walk] = []
    for turn in (0, 1):
        walk = _Walk(file, PROBES[turn] if free else None, fixed if free else None)
        walk.run(nodes, _input_sizes(file, shapes, turn, unfix=free and fixed is not None, step=step))
        walks.append(walk)
        if not free and all(isinstance(size, int) for port in file.inputs for size in port.dims):
            walks.append(walk)
            break
    first, second = walks
    if [proto.input for proto in first.nodes] != [proto.input for proto in second.nodes]:
        raise ModelError(f"its reshapes fix the batch to {fixed} in a way that depends on other sizes")
    same = {name: array for name, array in first.constants.items() if _equal(array, second.constants.get(name))}
    codes: dict[tuple[int, int], int] = {}
    merged = {
        name: _merged(kind, second.types.get(name, kind), codes, batch=PROBES if free else (batch, batch))
        for name, kind in first.types.items()
    }
    if free and FREE in _kinds_of_sizes(file, shapes) and any(proto.op_type in WINDOWS for proto in nodes):
        far = _Walk(file, PROBES[0], fixed)
        with suppress(ModelError):  # what the file cannot do with so large sizes says nothing: only what was reached
            far.run(nodes, _input_sizes(file, shapes, 1, unfix=fixed is not None, step=FAR * step, batch=PROBES[0]))
        same = {n: array for n, array in same.items() if n not in far.types or _equal(array, far.constants.get(n))}
        merged = {name: _unfixed(kind, first.types[name], far.types.get(name)) for name, kind in merged.items()}
    left = tuple(proto for proto in first.nodes if not all(name in same for name in proto.output if name))
    times = {code: a // PROBES[0] for (a, b), code in codes.items() if free and _is_multiple(a, b)}
    return Survey(left, same, merged, batch, first.opsets, _origins(first.nodes, same), times)


def _kinds_of_sizes(file: File, shapes: Mapping[str, Shape]) -> set[int]:
    """Return FREE where a size besides the batch is given by nobody."""
    rows = [shapes.get(port.name, port.dims[1:]) for port in file.inputs]
    return {FREE for row in rows for size in row if not isinstance(size, int)}


def _unfixed(kind: TensorType, near: TensorType, far: TensorType | None) -> TensorType:
    """Return a type whose fixed sizes are so for inputs that are much larger, too: windows leave one of few."""
    if far is None or kind.dims is None or near.dims is None or far.dims is None or len(far.dims) != len(kind.dims):
        return kind
    rows = zip(kind.dims, near.dims, far.dims, strict=True)
    return TensorType(kind.dtype, tuple(FREE if size >= 0 and a != b else size for size, a, b in rows))


def _is_multiple(first: int, second: int) -> bool:
    """Whether a size in two walks is the same number of times the batch."""
    return first % PROBES[0] == 0 and second % PROBES[1] == 0 and first // PROBES[0] == second // PROBES[1] > 0


def _origins(nodes: Sequence[NodeProto], constants: Mapping[str, Array]) -> dict[str, str]:
    """Return which constant of the file each is that was only turned, reshaped or made real."""
    found: dict[str, str] = {}
    for proto in nodes:
        if proto.op_type in ("Transpose", "Identity", "Reshape", "DequantizeLinear") and proto.output[0] in constants:
            found[proto.output[0]] = found.get(proto.input[0], proto.input[0])
    return found


def _equal(first: Array, second: Array | None) -> bool:
    if second is None or first.shape != second.shape or first.dtype != second.dtype:
        return False
    return first is second or first.tobytes() == second.tobytes()


def _merged(
    first: TensorType, second: TensorType, codes: dict[tuple[int, int], int], *, batch: tuple[int | None, int | None]
) -> TensorType:
    """Return the type that two walks agree on: sizes that differ become a code below BATCH, one for each pair."""
    if first.dims is None or second.dims is None or len(first.dims) != len(second.dims):
        return TensorType(first.dtype, None)
    pairs = list(zip(first.dims, second.dims, strict=True))
    dims = [
        a if a == b else FREE if FREE in (a, b) else codes.setdefault((a, b), BATCH - 1 - len(codes)) for a, b in pairs
    ]
    if dims and (first.dims[0], second.dims[0]) == batch:
        dims[0] = BATCH
    return TensorType(first.dtype, tuple(dims))


def _input_sizes(
    file: File, shapes: Mapping[str, Shape], turn: int, *, unfix: bool, step: int, batch: int = 0
) -> Sizes:
    """Return the sizes of all inputs in one of the two walks."""
    numbers: dict[str, int] = {}
    found: Sizes = {}
    for port in file.inputs:
        fixed = shapes.get(port.name)
        dims = port.dims if fixed is None else (*port.dims[:1], *fixed)
        if any(isinstance(d, int) and d < 0 for d in dims):
            raise ModelError(f"input '{port.name}': expected sizes of at least 0, got {list(dims)}")
        sizes = []
        for axis, size in enumerate(dims):
            if axis == 0 and (unfix or isinstance(size, str)):
                sizes.append(batch or PROBES[turn])
            elif isinstance(size, int):
                sizes.append(size)
            else:
                order = numbers.setdefault(size or f"axis {axis}", len(numbers))
                sizes.append(step * (order + 1 + (turn + 1) % 2 * 2))
        found[port.name] = tuple(sizes)
    return found


class _Walk:
    """One walk over the nodes: types inferred, constants folded, `nodes` as they came or made free of a fixed batch."""

    def __init__(self, file: File, probe: int | None, fixed: int | None) -> None:
        self._file, self._probe, self._fixed = file, probe, fixed
        imports = file.model.opset_import
        self.opsets = {entry.domain if entry.domain != "ai.onnx" else "": entry.version for entry in imports}
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = dict(file.constants)
        self.types = {name: TensorType(_dtype(array), tuple(array.shape)) for name, array in self.constants.items()}
        self._room = 2 * sum(array.size for array in self.constants.values()) + MOST_FOLDED
        graph = file.model.graph
        self._declared = {entry.name: from_proto(entry.type) for entry in (*graph.value_info, *graph.output)}

    def run(self, nodes: Sequence[NodeProto], sizes: Sizes) -> None:
        """Walk over the nodes, given the sizes of the inputs."""
        self.types.update({port.name: TensorType(port.dtype, sizes[port.name]) for port in self._file.inputs})
        for proto in nodes:
            node = self._any_batch(proto) if self._fixed is not None else proto
            self.nodes.append(node)
            self._visit(node)

    def _branch(self, proto: NodeProto) -> bool:
        """Visit the branch of an If whose condition is known, and take over what it gives; False for any other node."""
        body = taken_branch(proto, self.constants)
        if body is None:
            return False
        inner = copy(self)
        inner.constants, inner.types, inner.nodes = dict(self.constants), dict(self.types), []
        for tensor in body.initializer:
            inner._add(tensor.name, inner_array(tensor))
        for node in body.node:
            inner._visit(node)
        self._room = inner._room
        for given, taken in zip(body.output, proto.output, strict=True):
            self.types[taken] = inner.types.get(given.name, TensorType(0, None))
            if given.name in inner.constants:
                self.constants[taken] = inner.constants[given.name]
        return True

    def _visit(self, proto: NodeProto) -> None:
        if self._branch(proto):
            return
        bodies = any(entry.HasField("g") or entry.graphs for entry in proto.attribute)
        own = _own(proto, self.types)
        version = self._file.model.ir_version
        written = infer(proto, self.types if bodies else own, self.constants, opsets=self.opsets, ir_version=version)
        for name, kind in written.items():
            self.types[name] = self._declared.get(name, kind) if kind.dtype == 0 else kind
        for name, value in (
            fold(proto, self.constants, {**own, **written}, opset=self._file.opset, room=self._room) or {}
        ).items():
            self._add(name, value)

    def _add(self, name: str, value: Array) -> None:
        self.constants[name] = value
        self._room -= value.size
        self.types[name] = TensorType(_dtype(value), tuple(value.shape))

    def _any_batch(self, proto: NodeProto) -> NodeProto:
        """Return a Reshape of a batch to [fixed, ...] as one to [0, ...], which keeps the first size whatever it is."""
        if proto.op_type != "Reshape" or proto.domain not in STANDARD or len(proto.input) != 2:
            return proto
        source, target = self.types.get(proto.input[0]), self.constants.get(proto.input[1])
        if target is None or source is None or not source.dims or source.dims[0] != self._probe:
            return proto
        if target.ndim != 1 or not target.size or target[0] != self._fixed or not np.all(target):
            return proto
        name = f"{proto.output[0]}:any_batch"
        self._add(name, np.concatenate([np.zeros(1, np.int64), target[1:].astype(np.int64)]))
        changed = NodeProto()
        changed.CopyFrom(proto)
        changed.input[1] = name
        del changed.attribute[:]  # allowzero, which would make no difference as nothing else is 0
        return changed


def _own(proto: NodeProto, types: Mapping[str, TensorType]) -> dict[str, TensorType]:
    return {name: types[name] for name in proto.input if name in types}


def _dtype(array: Array) -> int:
    return int(helper.np_dtype_to_tensor_dtype(array.dtype))
