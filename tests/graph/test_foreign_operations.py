"""What a Foreign multiplies is counted from its model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from qbench.graph.foreign_operations import operations_of
from qbench.graph.nodes import PRODUCTS, Foreign

CASES = {
    "C = MatMul(A, B)": ({"A": "N, 3, 5"}, {"B": (5, 7)}, 2 * 3 * 5 * 7),
    "C = Gemm <transB = 1> (A, B)": ({"A": "N, 5"}, {"B": (7, 5)}, 2 * 5 * 7),
    "C = Conv <pads = [1, 1, 1, 1], group = 2> (A, B)": ({"A": "N, 4, 6, 6"}, {"B": (8, 2, 3, 3)}, 2 * 8 * 36 * 18),
    "C = ConvTranspose <strides = [2, 2]> (A, B)": ({"A": "N, 4, 6, 6"}, {"B": (4, 3, 2, 2)}, 2 * 4 * 36 * 12),
    "C = Einsum <equation = \"bik,jk->bij\"> (A, B)": ({"A": "N, 3, 5"}, {"B": (7, 5)}, 2 * 3 * 5 * 7),
    "C = Relu(A)": ({"A": "N, 3"}, {}, 0),
}  # fmt: skip


@pytest.mark.parametrize("body", CASES)
def test_products_count_two_per_multiply_add(body: str) -> None:
    inputs, constants, expected = CASES[body]
    ports = ", ".join(f"float[{dims}] {name}" for name, dims in inputs.items())
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g ({ports}) => (float[N] C) {{ {body} }}')
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    for name, shape in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name))
    node = Foreign("f", (body.split()[2].partition("(")[0],), tuple(inputs), ("C",), model.SerializeToString(), 17)
    assert operations_of(node) == expected
    assert (node.operators[0] in PRODUCTS) == (expected > 0)
