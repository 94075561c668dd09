"""One node of an ONNX file, read with checks: attributes, constants and shapes.

What is wrong with the node is a ModelError that names it; what is right, but has no typed node, an UntypedError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, NodeProto

from qbench.errors import ModelError
from qbench.graph.nodes import Floats, Pair, Shape
from qbench.graph.onnx.draft import Raw, UntypedError, uncovered
from qbench.graph.onnx.file import Array
from qbench.graph.onnx.liveness import inputs_of_proto, outputs_of_proto
from qbench.graph.onnx.tensor_type import FLOAT, TensorType
from qbench.graph.passes.naming import scope_of


@dataclass(frozen=True, slots=True)
class NodeReader:
    """A node and what is known of the tensors that it reads and writes.

    Args:
        proto: the node.
        opset: version of the standard operators.
        constants: all constant tensors of the file.
        types: of all tensors.
        origins: folded constant -> the file's constant that it is another form of.
    """

    proto: NodeProto
    opset: int
    constants: Mapping[str, Array]
    types: Mapping[str, TensorType]
    origins: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, AttributeProto] = field(init=False)

    def __post_init__(self) -> None:
        """Index the attributes by name."""
        object.__setattr__(self, "attributes", {entry.name: entry for entry in self.proto.attribute})

    @property
    def op(self) -> str:
        """The operator."""
        return str(self.proto.op_type)

    @property
    def label(self) -> str:
        """The node's name in the file, or the tensor that it writes where it has none."""
        return str(self.proto.name or next((name for name in self.proto.output if name), ""))

    @property
    def output(self) -> str:
        """The tensor that it writes."""
        return str(self.proto.output[0])

    @property
    def outputs(self) -> list[str]:
        """All tensors that it writes."""
        return outputs_of_proto(self.proto)

    def scope(self, weight: int | None = None) -> str:
        """Return the module that the node stands for, recognized by its name or that of its input number `weight`."""
        name = "" if weight is None else str(self.proto.input[weight])
        scope = scope_of(self.proto.name, name)
        return scope or scope_of(self.proto.name, self.origins.get(name, name))

    def fail(self, why: str) -> ModelError:
        """Return the error that names this node."""
        return uncovered(self.label, self.op, why)

    def raw(self, reason: str) -> Raw:
        """Return the node as it stands, for a Foreign."""
        inputs = tuple(name for name in inputs_of_proto(self.proto) if name not in self.constants)
        why = f"node '{self.label}' ({self.op}): {reason}"
        return Raw(self.scope(), (self.proto,), inputs, inputs, tuple(self.outputs), why)

    def has(self, index: int) -> bool:
        """Whether the optional input number `index` is given."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def kind(self, index: int = 0) -> TensorType:
        """Return the type of an input, constant or not."""
        if not self.has(index):
            raise self.fail(f"expected an input {index}")
        return self.types.get(self.proto.input[index], TensorType(0, None))

    def tensor(self, index: int = 0) -> str:
        """Return the name of an input that is computed, as float32 with a batch."""
        kind = self.kind(index)
        if self.is_constant(index):
            raise UntypedError(f"input {index} is a constant")
        if kind.dtype != FLOAT or not kind.has_batch:
            what = f"{kind.dtype_name} of shape {kind.dims}" if kind.dims is not None else "of unknown shape"
            raise UntypedError(f"input {index} is no batch of float32 numbers but {what}")
        if kind.dims is not None and len(kind.dims) == 1:
            raise UntypedError(f"input {index} is one number an image, without channels")
        return str(self.proto.input[index])

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of such an input, without the batch."""
        self.tensor(index)
        return self.kind(index).shape

    def written(self, index: int = 0) -> Shape:
        """Return the shape of an output, without its batch, which it must have."""
        kind = self.types.get(self.outputs[index], TensorType(0, None))
        if kind.dims is None or not kind.has_batch:
            raise UntypedError("its output has no batch")
        return kind.shape

    def image(self) -> tuple[int, int, int]:
        """Return the shape (c, h, w) of its first input, which must be images."""
        shape = self.shape()
        if len(shape) != 3 or min(shape) < 1:
            raise UntypedError(f"expected images (batch, c, h, w) of known size, got (batch, {_words(shape)})")
        return shape[0], shape[1], shape[2]

    def is_constant(self, index: int) -> bool:
        """Whether an input is a constant."""
        return self.has(index) and self.proto.input[index] in self.constants

    def array(self, index: int, what: str) -> Array:
        """Return a constant input as it is."""
        if not self.is_constant(index):
            raise UntypedError(f"its {what}, input {index}, is computed or left out")
        return self.constants[self.proto.input[index]]

    def numbers(self, index: int, what: str) -> Floats:
        """Return a constant float32 input that need not be a weight: what is not finite has no typed node."""
        array = self.array(index, what)
        if array.dtype == np.float32 and not np.isfinite(array.astype(np.float32)).all():
            raise UntypedError(f"its {what} holds NaN or infinity")
        return self.floats(index, what)

    def floats(self, index: int, what: str, *, rank: int | None = None) -> Floats:
        """Return a constant float32 input, all finite as weights must be, of a given rank."""
        array = self.array(index, what)
        if array.dtype != np.float32:
            raise UntypedError(f"its {what} is {array.dtype}, not float32")
        if rank is not None and array.ndim != rank:
            raise UntypedError(f"its {what} has shape {array.shape}, not {rank} dimensions")
        values: Floats = array.astype(np.float32)
        if not values.size or not np.isfinite(values).all():
            raise self.fail(f"its {what} '{self.proto.input[index]}' is empty or holds NaN or infinity")
        return values

    def scalar(self, index: int, what: str, default: float) -> float:
        """Return a constant input of one number, or `default` when it is left out."""
        if not self.has(index):
            return default
        array = self.array(index, what)
        if array.size != 1 or array.dtype.kind not in "fiu" or np.isnan(array.astype(np.float64)).any():
            raise self.fail(f"expected one number as {what}, got {array.dtype} of shape {array.shape}")
        return float(array.astype(np.float64).reshape(-1)[0])

    def integers(self, index: int, what: str) -> tuple[int, ...]:
        """Return a constant input of whole numbers."""
        array = self.array(index, what)
        if array.dtype.kind not in "iu" or array.ndim > 1:
            raise UntypedError(f"its {what} are {array.dtype} of shape {array.shape}")
        values: npt.NDArray[np.int64] = array.astype(np.int64)
        return tuple(values.reshape(-1).tolist())

    def axes(self, index: int, *, since: int) -> tuple[int, ...] | None:
        """Return axes, an attribute before operator set `since` and input number `index` from then on."""
        if self.opset < since:
            return self.several("axes")
        return self.integers(index, "axes") if self.has(index) else None

    def axis(self, default: int, *, rank: int) -> int:
        """Return the attribute `axis`, counted from the front."""
        axis = self.integer("axis", default)
        if not -rank <= axis < rank:
            raise self.fail(f"expected an axis in {-rank}..{rank - 1}, got {axis}")
        return axis % rank

    def integer(self, name: str, default: int) -> int:
        """Return an attribute of one whole number."""
        entry = self._attribute(name, AttributeProto.INT)
        return default if entry is None else entry.i

    def number(self, name: str, default: float) -> float:
        """Return an attribute of one real number."""
        entry = self._attribute(name, AttributeProto.FLOAT)
        return default if entry is None else entry.f

    def word(self, name: str, default: str) -> str:
        """Return an attribute of one string."""
        entry = self._attribute(name, AttributeProto.STRING)
        return default if entry is None else entry.s.decode("utf-8", "replace")

    def several(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute of several whole numbers, None when it is left out."""
        entry = self._attribute(name, AttributeProto.INTS)
        return None if entry is None else tuple(entry.ints)

    def pair(self, name: str, default: Pair | None = None) -> Pair:
        """Return an attribute of two positive whole numbers."""
        values = self.several(name)
        values = default if values is None else values
        if values is None or len(values) != 2 or not 1 <= min(values) <= max(values) < 2**31:
            raise self.fail(f"expected two positive numbers as {name}, got {values}")
        return values[0], values[1]

    def _attribute(self, name: str, kind: AttributeProto.AttributeType) -> AttributeProto | None:
        entry = self.attributes.get(name)
        if entry is not None and entry.type != kind:
            expected, got = (AttributeProto.AttributeType.Name(value) for value in (kind, entry.type))
            raise self.fail(f"attribute '{name}': expected {expected}, got {got}")
        return entry


def _words(shape: Shape) -> str:
    return ", ".join("?" if size < 0 else str(size) for size in shape)
