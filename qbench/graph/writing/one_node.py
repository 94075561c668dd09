"""An ONNX model of one operator, for peers that are timed on single operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[np.generic]

_OPSET, _IR_VERSION = 21, 10
CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators."""


def one_node_bytes(
    operator: str,
    inputs: Sequence[Array | str],
    *,
    lhs: Array,
    out: Array,
    domain: str = "",
    attributes: Mapping[str, int | Sequence[int]] | None = None,
) -> bytes:
    """Return a serialized model with the input `lhs` and the output `out`.

    Args:
        operator: type of the node.
        inputs: the node's inputs in order: an array becomes an initializer, `lhs` is the input, "" is left out.
        lhs: an array of the input's type and shape.
        out: an array of the output's type and shape.
        domain: of the operator, `CONTRIB` for onnxruntime's own.
        attributes: of the node.
    """
    constants = {f"c{place}": value for place, value in enumerate(inputs) if not isinstance(value, str)}
    names = [value if isinstance(value, str) else f"c{place}" for place, value in enumerate(inputs)]
    node = helper.make_node(operator, names, ["out"], domain=domain)
    node.attribute.extend(helper.make_attribute(key, value) for key, value in (attributes or {}).items())
    graph = helper.make_graph(
        [node],
        operator,
        [_value("lhs", lhs)],
        [_value("out", out)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    content: bytes = model.SerializeToString()
    return content


def _value(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
