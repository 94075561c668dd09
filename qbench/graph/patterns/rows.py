"""Products over tensors whose first axis is several times the batch (windows of tokens, flattened tokens).

(n * k, ..., c) is seen as (n, k * ..., c), tokens of an image, by a Reshape before and one after: then it is a Linear.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from onnx import helper

from qbench.errors import ModelError
from qbench.graph.nodes import Floats, Linear
from qbench.graph.onnx.draft import Alias, Draft, Raw, UntypedError, reads, writes
from qbench.graph.onnx.tensor_type import BATCH, FLOAT, TensorType
from qbench.graph.order import in_order
from qbench.graph.patterns.web import Web, operator


def seen_as_tokens(web: Web) -> list[Draft]:
    """Return the nodes with a Linear between two reshapes in the place of every such product, its bias included."""
    made: list[Draft] = []
    gone: set[int] = set()
    for node in web.nodes:
        if isinstance(node, Raw) and operator(node) in ("MatMul", "Gemm") and len(node.reads) == 1:
            found = _linear(web, node)
            if found is not None:
                made += found[0]
                gone.update(id(member) for member in found[1])
    kept = [node for node in web.nodes if id(node) not in gone]
    return in_order([*kept, *made], reads=reads, writes=writes)[0] if made else kept


def _linear(web: Web, node: Raw) -> tuple[list[Draft], list[Draft]] | None:
    kind = web.types.get(node.reads[0])
    if kind is None or kind.dtype != FLOAT or kind.dims is None or len(kind.dims) < 2 or min(kind.dims[1:]) < 1:
        return None
    times = web.multiples.get(kind.dims[0])
    layer = _weights(web, node)
    if times is None or layer is None or layer[0].shape[1] != kind.dims[-1]:
        return None
    weight, bias = layer
    region: list[Draft] = [node]
    added = _bias(web, node, len(weight)) if operator(node) == "MatMul" else None
    if added is not None:
        region, bias = [node, added[0]], added[1]
    end = region[-1].output
    tokens = times * math.prod(kind.dims[1:-1])
    inner, outer = f"{end}:rows", f"{end}:product"
    scope = web.reader(node).scope(1)
    source = node.protos[0].input[1] if operator(node) == "MatMul" else ""
    made: list[Draft] = [
        reshape(web, node.reads[0], inner, (tokens, kind.dims[-1])),
        Linear(scope, inner, outer, weight, bias, source=source),
        reshape(web, outer, end, (*kind.dims[1:-1], len(weight))),
    ]
    web.types[inner] = TensorType(FLOAT, (BATCH, tokens, kind.dims[-1]))
    web.types[outer] = TensorType(FLOAT, (BATCH, tokens, len(weight)))
    return made, region


def reshape(web: Web, source: str, made: str, sizes: tuple[int, ...]) -> Raw:
    """Return the node that sees a tensor in other sizes behind its first axis, whatever that is."""
    constant = web.constant(f"{made}:sizes", np.asarray([-1, *sizes], np.int64))
    proto = helper.make_node("Reshape", [source, constant], [made], name=made)
    return Raw("", (proto,), (source,), (source,), (made,), f"tensor '{source}': it is seen as tokens of an image")


def _weights(web: Web, node: Raw) -> tuple[Floats, Floats] | None:
    """Return weights (n, k) and bias, None where the product is of another kind."""
    reader = web.reader(node)
    try:
        weight = reader.floats(1, "weight", rank=2)
        if operator(node) == "MatMul":
            return np.ascontiguousarray(weight.T), np.zeros(weight.shape[1], np.float32)
        if reader.integer("transA", 0) or reader.number("alpha", 1.0) != 1 or reader.number("beta", 1.0) != 1:
            return None
        weight = weight if reader.integer("transB", 0) else np.ascontiguousarray(weight.T)
        bias = reader.floats(2, "bias") if reader.has(2) else np.zeros(len(weight), np.float32)
    except (UntypedError, ModelError):
        return None
    return (weight, bias.reshape(-1)) if bias.size == len(weight) else None


def _bias(web: Web, node: Raw, size: int) -> tuple[Raw, Floats] | None:
    """Return the sum with a constant that alone reads a product, and the constant."""
    after = web.only_reader(node.output)
    if operator(after) != "Add" or not isinstance(after, Raw) or len(after.reads) != 1:
        return None
    reader = web.reader(after)
    constant = next((reader.constants[name] for name in after.protos[0].input if name in reader.constants), None)
    if constant is None or constant.size != size or constant.shape[-1:] != (size,) or constant.dtype != np.float32:
        return None
    values = constant.astype(np.float32).reshape(-1)
    return (after, values) if np.isfinite(values).all() else None


def without_round_trips(web: Web) -> list[Draft]:
    """Return the nodes without reshapes that give a tensor back the form that another reshape took from it."""
    made: list[Draft] = []
    origins: dict[str, str] = {}
    for node in web.nodes:
        if not isinstance(node, Raw) or operator(node) != "Reshape" or len(node.reads) != 1:
            made.append(node)
            continue
        origin = origins.get(node.reads[0], node.reads[0])
        origins[node.output] = origin
        same = web.types.get(origin) == web.types.get(node.output) and web.runs(origin)[0] > 0
        made.append(Alias(node.name, origin, node.output) if same and origin != node.reads[0] else node)
    return made


def as_single_rows(web: Web) -> list[Draft]:
    """Return the nodes with a Linear over rows in the place of one over vectors between two reshapes.

    A decoder that takes one token at a time has (n, 1, c); exporters write its products over (n, c).
    """
    made: list[Draft] = []
    gone: set[int] = set()
    for node in web.nodes:
        after = web.only_reader(node.output) if isinstance(node, Linear) else None
        rows = _single_rows(web, node.input) if isinstance(node, Linear) else None
        same = after is not None and operator(after) == "Reshape" and _single_rows(web, after.output, node.output)
        if isinstance(node, Linear) and rows and same and after is not None:
            gone.add(id(after))
            made.append(replace(node, input=rows, output=after.output))
        else:
            made.append(node)
    return [node for node in made if id(node) not in gone]


def _single_rows(web: Web, tensor: str, vector: str = "") -> str:
    """Return the rows, one for each sample, that a vector is reshaped from; "" where it is something else."""
    if not vector:
        before = web.writer(tensor)
        if not isinstance(before, Raw) or operator(before) != "Reshape":
            return ""
        tensor, vector = before.reads[0], tensor
    (times, rows), (runs, whole) = web.runs(tensor), web.runs(vector)
    return tensor if times == runs == 1 and len(whole) == 1 and rows == (1, *whole) else ""
