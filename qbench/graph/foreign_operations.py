"""How much a Foreign computes: the multiply-adds of the products and convolutions in its model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import onnx
from onnx import NodeProto, helper, shape_inference

from qbench.graph.nodes import Foreign

Shapes = Mapping[str, list[int]]
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def operations_of(node: Foreign) -> int:
    """Return the operations per image, two per multiply-add, of what a Foreign multiplies; all else counts nothing.

    A size that is not known counts as 1; so do the bodies of loops and branches, once each.
    """
    model = onnx.load_from_string(node.model)
    for port in model.graph.input:
        dims = port.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = 1
    with suppress(RuntimeError, ValueError):  # what cannot be inferred counts as 1
        model = shape_inference.infer_shapes(model)
    return _of_graph(model.graph, {})


def _of_graph(graph: onnx.GraphProto, outer: Shapes) -> int:
    shapes = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = [max(1, dim.dim_value) for dim in dims]
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    inner = [
        branch for node in graph.node for attribute in node.attribute
        for branch in ([attribute.g] if attribute.HasField("g") else attribute.graphs)
    ]  # fmt: skip
    return sum(_of_node(node, shapes) for node in graph.node) + sum(_of_graph(branch, shapes) for branch in inner)


def _of_node(node: NodeProto, shapes: Shapes) -> int:
    first, second = (shapes.get(name, []) for name in (*node.input, "", "")[:2])
    made = math.prod(shapes.get(node.output[0], [1])) if node.output else 0
    match node.op_type:
        case "MatMul" | "MatMulInteger":
            return 2 * made * (first or [1])[-1]
        case "Gemm":
            turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
            return 2 * made * (first or [1])[0 if turned else -1]
        case "Conv" | "ConvInteger":
            return 2 * made * math.prod(second[1:])
        case "ConvTranspose":
            return 2 * math.prod(first or [1]) * math.prod(second[1:])
        case "LSTM" | "GRU" | "RNN" if len(first) == 3 and len(second) == 3:
            directions, rows, width = second
            hidden = rows // _GATES[node.op_type]
            return 2 * first[0] * first[1] * directions * rows * (width + hidden)
        case "Einsum" if len(node.input) == 2:
            return 2 * made * _contracted(node, first, second)
        case _:
            return 0


def _contracted(node: NodeProto, first: list[int], second: list[int]) -> int:
    """Return over how many numbers each result of an Einsum of two tensors is summed."""
    equation = next((helper.get_attribute_value(a).decode() for a in node.attribute if a.name == "equation"), "")
    left, _, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != 2 or "." in left:
        return 1
    sizes = dict(zip(terms[0], first, strict=False)) | dict(zip(terms[1], second, strict=False))
    return math.prod(size for letter, size in sizes.items() if letter not in right)
