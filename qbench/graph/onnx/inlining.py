"""Functions that a file defines, put in the place of their calls, within bounds."""

from __future__ import annotations

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import FunctionProto, ModelProto

from qbench.errors import ModelError
from qbench.graph.order import in_order

MOST_NODES = 100_000
Key = tuple[str, str]


def inline_functions(model: ModelProto) -> ModelProto:
    """Return the model without functions of its own; raise ModelError for cycles and for what would grow too large."""
    bodies: dict[Key, FunctionProto] = {(body.domain, body.name): body for body in model.functions}
    ordered, cycle = in_order(
        list(bodies.items()),
        reads=lambda item: [str(key) for key in _calls(item[1]) if key in bodies],
        writes=lambda item: [str(item[0])],
    )
    sizes: dict[Key, int] = {}
    for key, body in ordered:
        sizes[key] = sum(sizes.get(call, 1) for call in _calls(body))
    total = sum(sizes.get((node.domain, node.op_type), 1) for node in model.graph.node)
    if cycle or total > MOST_NODES:
        raise ModelError(f"expected at most {MOST_NODES} nodes, got {'endless calls' if cycle else total}")
    if not bodies:
        return model
    try:
        return onnx.inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, DecodeError) as error:
        line = str(error).strip().split("\n", maxsplit=1)[0][:200]
        raise ModelError(f"its functions cannot be inlined: {line}") from error


def _calls(body: FunctionProto) -> list[Key]:
    return [(node.domain, node.op_type) for node in body.node]
