"""The operators that are covered: each turns one ONNX node into a draft node or several, or says why it cannot.

To add one: a function here in the room, one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qbench.graph.draft import Draft
from qbench.graph.node_reader import NodeReader
from qbench.graph.operators.plain import alias, clip, flatten, relu
from qbench.graph.operators.weighted import arithmetic, batch_normalization, conv, gemm, matmul
from qbench.graph.operators.windows import global_pool, pad, pool, reduce_mean

OPERATORS: Mapping[str, Callable[[NodeReader], Draft | tuple[Draft, ...]]] = {
    "Add": arithmetic,
    "AveragePool": pool,
    "BatchNormalization": batch_normalization,
    "Clip": clip,
    "Conv": conv,
    "Div": arithmetic,
    "Dropout": alias,
    "Flatten": flatten,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Identity": alias,
    "MatMul": matmul,
    "MaxPool": pool,
    "Mul": arithmetic,
    "Pad": pad,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Reshape": flatten,
    "Squeeze": flatten,
    "Sub": arithmetic,
}
