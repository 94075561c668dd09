"""The operators that have a typed node: each turns one ONNX node into a draft or several, or says why it cannot.

To add one: a function here in the room, one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qbench.graph.onnx.draft import Draft
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.operators.channels import concat, depth_to_space, gather, slices, split
from qbench.graph.onnx.operators.elementwise import NAMES, gelu, power, prelu, unary
from qbench.graph.onnx.operators.normal import group_normalization, instance_normalization, layer_normalization, softmax
from qbench.graph.onnx.operators.plain import alias, bound, cast, clip, flatten, relu, transpose
from qbench.graph.onnx.operators.weighted import arithmetic, batch_normalization, conv, gemm, matmul, negate, total
from qbench.graph.onnx.operators.windows import global_pool, pad, pool, reduce_max, reduce_mean, resize

OPERATORS: Mapping[str, Callable[[NodeReader], Draft | tuple[Draft, ...]]] = {
    "Add": arithmetic,
    "AveragePool": pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "DepthToSpace": depth_to_space,
    "Div": arithmetic,
    "Dropout": alias,
    "Expand": flatten,
    "Flatten": flatten,
    "Gather": gather,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "GroupNormalization": group_normalization,
    "Identity": alias,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "MatMul": matmul,
    "Max": bound,
    "MaxPool": pool,
    "Min": bound,
    "Mul": arithmetic,
    "Neg": negate,
    "PRelu": prelu,
    "Pad": pad,
    "Pow": power,
    "ReduceMax": reduce_max,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Reshape": flatten,
    "Resize": resize,
    "Slice": slices,
    "Softmax": softmax,
    "Split": split,
    "Squeeze": flatten,
    "Sub": arithmetic,
    "Sum": total,
    "Transpose": transpose,
    "Unsqueeze": flatten,
    "Upsample": resize,
    **dict.fromkeys(NAMES, unary),
}
