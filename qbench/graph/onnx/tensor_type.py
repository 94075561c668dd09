"""What is known of a tensor before anything runs: its type, and sizes that are fixed, free, or the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, TypeProto, helper

from qbench.graph.nodes import FREE, Shape

BATCH = -2
"""Stands in a shape for the size that counts the images."""

FLOAT = TensorProto.FLOAT
DTYPE_NAMES: dict[int, str] = {number: name.lower() for name, number in TensorProto.DataType.items()}


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor's type: `dtype` as ONNX numbers it (0: unknown, or no tensor), `dims` None where the rank is unknown.

    Sizes below 0 are BATCH, FREE, or a free size that is the same wherever its number is the same.
    """

    dtype: int
    dims: Shape | None

    @property
    def has_batch(self) -> bool:
        """Whether its first axis counts the images."""
        return bool(self.dims) and self.dims[0] == BATCH  # type: ignore[index]

    @property
    def shape(self) -> Shape:
        """The sizes without the batch; all of them where it has none."""
        dims = (FREE,) if self.dims is None else self.dims
        return tuple(FREE if size < 0 else size for size in (dims[1:] if self.has_batch else dims))

    @property
    def dtype_name(self) -> str:
        """The type's name, numpy's where it has one."""
        try:
            return str(np.dtype(helper.tensor_dtype_to_np_dtype(self.dtype)).name)
        except (KeyError, TypeError):
            return DTYPE_NAMES.get(self.dtype, "undefined")


def as_proto(dtype: int, dims: Shape | None) -> TypeProto:
    """Return ONNX's form of a type; sizes below 0 are left open."""
    sizes = None if dims is None else [size if size >= 0 else None for size in dims]
    return helper.make_tensor_type_proto(dtype, sizes)


def from_proto(proto: TypeProto) -> TensorType:
    """Return the type that ONNX inferred; FREE where it could not infer a size."""
    if not proto.HasField("tensor_type"):
        return TensorType(0, None)
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return TensorType(tensor.elem_type, None)
    dims = tuple(dim.dim_value if dim.HasField("dim_value") else FREE for dim in tensor.shape.dim)
    return TensorType(tensor.elem_type, dims)
