"""Small seeded networks and what onnxruntime.quantization makes of them: files of others, made on the spot."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from onnxruntime import quantization

Reals = npt.NDArray[np.float32]
SHAPE = (3, 8, 8)


def samples(count: int = 16) -> Reals:
    return np.random.default_rng(5).normal(size=(count, *SHAPE)).astype(np.float32)


class _Graph:
    def __init__(self) -> None:
        self.generator = np.random.default_rng(0)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def number(self, name: str, *shape: int, scale: float = 1.0, value: float | None = None) -> str:
        drawn = self.generator.normal(size=shape) * scale if value is None else np.asarray(value)
        self.constants.append(numpy_helper.from_array(np.asarray(drawn, np.float32), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def save(self, path: Path, *, batch: int | str = "n", outputs: int = 5, opset: int = 21) -> Path:
        ends = [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *SHAPE]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, outputs]),
        ]
        graph = helper.make_graph(self.nodes, "g", ends[:1], ends[1:], self.constants)
        versions = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=versions, ir_version=10 if opset == 21 else 13)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def float_file(path: Path, *, batch: int | str = "n", grouped: bool = True) -> Path:
    """Save a network of convolutions, a residual, a relu6, pools and a product."""
    g = _Graph()
    g.add("Conv", ["x", g.number("w0", 8, 3, 3, 3, scale=0.2), g.number("b0", 8, scale=0.1)], "c0", pads=[1] * 4)
    g.add("Relu", ["c0"], "r0")
    g.add("MaxPool", ["r0"], "p0", kernel_shape=[2, 2], strides=[2, 2])
    g.add("Conv", ["p0", g.number("w1", 8, 8, 3, 3, scale=0.1), g.number("b1", 8, scale=0.1)], "c1", pads=[1] * 4)
    g.add("Add", ["c1", "p0"], "a1")
    g.add("Relu", ["a1"], "r1")
    groups, depth = (8, 1) if grouped else (1, 8)
    third = [g.number("w2", 8, depth, 3, 3, scale=0.3), g.number("b2", 8)]
    g.add("Conv", ["r1", *third], "c2", pads=[1] * 4, group=groups)
    g.add("Clip", ["c2", g.number("low", value=0.0), g.number("high", value=6.0)], "r2")
    g.add("GlobalAveragePool", ["r2"], "g")
    g.add("Flatten", ["g"], "f")
    g.add("Gemm", ["f", g.number("w3", 5, 8, scale=0.3), g.number("b3", 5, scale=0.1)], "y", transB=1)
    return g.save(path, batch=batch)


class _Reader:
    def __init__(self, feeds: dict[str, Reals]) -> None:
        self._batches = iter([feeds])

    def get_next(self) -> dict[str, Reals] | None:
        return next(self._batches, None)


def quantized_static(
    source: Path, path: Path, *, feeds: dict[str, Reals], form: str = "QDQ", activations: str = "QUInt8",
    weights: str = "QInt8", **more: Any,
) -> Path:  # fmt: skip
    """Save what `quantize_static` makes of a file."""
    kinds = quantization.QuantType
    quantization.quantize_static(
        str(source), str(path), _Reader(feeds), quant_format=quantization.QuantFormat[form],
        activation_type=kinds[activations], weight_type=kinds[weights], **more,
    )  # fmt: skip
    return path


def static_file(
    folder: Path, *, form: str = "QDQ", activations: str = "QUInt8", weights: str = "QInt8", per_channel: bool = True,
    symmetric: bool = False,
) -> Path:  # fmt: skip
    """Save what `quantize_static` makes of the network."""
    return quantized_static(
        float_file(folder / "float.onnx"), folder / f"{form}-{activations}-{weights}.onnx", feeds={"x": samples()},
        form=form, activations=activations, weights=weights, per_channel=per_channel,
        extra_options={"WeightSymmetric": True} if symmetric else {},
    )  # fmt: skip


def dynamic_file(folder: Path) -> Path:
    """Save what `quantize_dynamic` makes of the network."""
    path = folder / "dynamic.onnx"
    quantization.quantize_dynamic(str(float_file(folder / "float.onnx")), str(path))
    return path


def blocked_file(path: Path, *, form: str, kind: int = TensorProto.UINT4) -> Path:
    """Save a convolution and a product whose weights of few bits share scales in blocks of 16 or 32.

    Args:
        path: where.
        form: `MatMulNBits`, or `DequantizeLinear` of blocks.
        kind: type of the codes of `DequantizeLinear`.
    """
    g = _Graph()
    g.add("Conv", ["x", g.number("w0", 64, 3, 3, 3, scale=0.2), g.number("b0", 64, scale=0.1)], "c0", pads=[1] * 4)
    g.add("Relu", ["c0"], "r0")
    g.add("GlobalAveragePool", ["r0"], "g")
    g.add("Flatten", ["g"], "f")
    scale = g.generator.uniform(0.02, 0.05, (5, 2)).astype(np.float32)
    if form == "MatMulNBits":
        packed = g.generator.integers(0, 256, (5, 2, 16)).astype(np.uint8)
        g.constants += [numpy_helper.from_array(packed, "w"), numpy_helper.from_array(scale.reshape(-1), "s")]
        g.add(form, ["f", "w", "s"], "y", domain="com.microsoft", K=64, N=5, bits=4, block_size=32)
    else:
        bits = 4 if kind in (TensorProto.UINT4, TensorProto.INT4) else 2
        codes = g.generator.integers(0, 2**bits, (5, 64)) - (2 ** (bits - 1) if kind in _SIGNED else 0)
        g.constants.append(helper.make_tensor("w", kind, codes.shape, codes.reshape(-1).tolist()))
        g.constants.append(numpy_helper.from_array(scale, "s"))
        g.add(form, ["w", "s"], "v", axis=1, block_size=32)
        g.add("Gemm", ["f", "v"], "y", transB=1)
    return g.save(path, opset=25 if kind in _TWO_BITS else 21)


_SIGNED = (TensorProto.INT4, TensorProto.INT2)
_TWO_BITS = (TensorProto.UINT2, TensorProto.INT2)
