"""Write a Reshape to a computed shape as one to a constant, where sizes that it keeps and one -1 say the same."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from qbench.graph.nodes import FREE, Shape
from qbench.graph.onnx.inference import STANDARD
from qbench.graph.onnx.survey import Survey
from qbench.graph.onnx.tensor_type import TensorType

_UNKNOWN = TensorType(0, None)


def with_constant_shape(proto: NodeProto, found: Survey) -> NodeProto:
    """Return the Reshape with a constant shape, which is added to `found`; any other node as it is."""
    if proto.op_type != "Reshape" or proto.domain not in STANDARD or len(proto.input) != 2:
        return proto
    source, target = (found.types.get(name, _UNKNOWN).dims for name in (proto.input[0], proto.output[0]))
    if proto.input[1] in found.constants or source is None or target is None:
        return proto
    sizes = _constant(source, target)
    if sizes is None:
        return proto
    name = f"{proto.output[0]}:shape"
    found.constants[name] = np.asarray(sizes, np.int64)
    found.types[name] = TensorType(7, (len(sizes),))
    changed = NodeProto()
    changed.CopyFrom(proto)
    changed.input[1] = name
    return changed


def _constant(source: Shape, target: Shape) -> list[int] | None:
    """Return sizes with 0 for those that are kept and -1 for at most one other; None where more are free."""
    sizes: list[int] = []
    for axis, size in enumerate(target):
        if size > 0:
            sizes.append(size)
        elif size != FREE and axis < len(source) and source[axis] == size:
            sizes.append(0)
        else:
            sizes.append(-1)
    return sizes if sizes.count(-1) <= 1 else None
