"""One node of an ONNX file, read with checks: attributes, constants and shapes, or a ModelError that names the node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, NodeProto

from qbench.errors import ModelError
from qbench.graph.draft import uncovered
from qbench.graph.file import Array
from qbench.graph.network import Floats, Pair, Shape
from qbench.graph.passes.naming import scope_of


@dataclass(frozen=True, slots=True)
class NodeReader:
    """A node and what is known of the tensors that it reads.

    Args:
        proto: the node.
        opset: version of the standard operators.
        constants: all constant tensors of the file so far.
        shapes: shapes, without the batch, of all other tensors so far.
        batch: the batch that the file is fixed to, or a number that stands for a free one.
    """

    proto: NodeProto
    opset: int
    constants: Mapping[str, Array]
    shapes: Mapping[str, Shape]
    batch: int
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
        return str(self.proto.name or self.output)

    @property
    def output(self) -> str:
        """The tensor that it writes."""
        return str(self.proto.output[0])

    def scope(self, weight: int | None = None) -> str:
        """Return the module that the node stands for, told by its name or that of its input number `weight`."""
        return scope_of(self.proto.name, "" if weight is None else self.proto.input[weight])

    def fail(self, why: str) -> ModelError:
        """Return the error that names this node."""
        return uncovered(self.label, self.op, why)

    def has(self, index: int) -> bool:
        """Whether the optional input number `index` is given."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def tensor(self, index: int = 0) -> str:
        """Return the name of an input that is computed from the images."""
        name = self.proto.input[index] if self.has(index) else ""
        if name not in self.shapes:
            raise self.fail(f"expected input {index} to be computed from the images, got '{name}'")
        return name

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of such an input, without the batch."""
        return self.shapes[self.tensor(index)]

    def image(self) -> tuple[int, int, int]:
        """Return the shape (c, h, w) of its first input, which must be images."""
        shape = self.shape()
        if len(shape) != 3:
            raise self.fail(f"expected images (batch, c, h, w), got (batch, {', '.join(map(str, shape))})")
        return shape[0], shape[1], shape[2]

    def is_constant(self, index: int) -> bool:
        """Whether an input is a constant."""
        return self.has(index) and self.proto.input[index] in self.constants

    def array(self, index: int, what: str) -> Array:
        """Return a constant input as it is."""
        if not self.is_constant(index):
            raise self.fail(f"expected a constant {what} as input {index}, got a computed tensor or none")
        return self.constants[self.proto.input[index]]

    def floats(self, index: int, what: str, *, rank: int | None = None) -> Floats:
        """Return a constant float32 input, all finite, of a given rank."""
        array = self.array(index, what)
        if array.dtype != np.float32:
            raise self.fail(f"expected its {what} in float32, got {array.dtype}")
        if rank is not None and array.ndim != rank:
            raise self.fail(f"expected a {what} of {rank} dimensions, got shape {array.shape}")
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
            raise self.fail(f"expected whole numbers as {what}, got {array.dtype} of shape {array.shape}")
        values: npt.NDArray[np.int64] = array.astype(np.int64)
        return tuple(values.reshape(-1).tolist())

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
        if values is None or len(values) != 2 or min(values) < 1:
            raise self.fail(f"expected two positive numbers as {name}, got {values}")
        return values[0], values[1]

    def _attribute(self, name: str, kind: AttributeProto.AttributeType) -> AttributeProto | None:
        entry = self.attributes.get(name)
        if entry is not None and entry.type != kind:
            expected, got = (AttributeProto.AttributeType.Name(value) for value in (kind, entry.type))
            raise self.fail(f"attribute '{name}': expected {expected}, got {got}")
        return entry
