"""TensorFlow Lite models of one operation, built in code with the schema that ai-edge-litert brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D, PAD = 9, 3, 4, 34
FLOAT32, INT32, INT8, INT4, FLOAT16 = 0, 2, 9, 17, 1
_OPTIONS = {FULLY_CONNECTED: 8, CONV_2D: 1, DEPTHWISE_CONV_2D: 2, PAD: 22}
"""Builtin operator -> number of its options in the schema's union."""

_VERSION = 3


def quantization(scale: npt.ArrayLike, zero_point: int, *, axis: int = 0) -> Any:
    """Return real = scale * (code - zero_point) for a tensor, or a channel of `axis` each."""
    from ai_edge_litert import schema_py_generated as schema

    scales = np.atleast_1d(np.asarray(scale, np.float32))
    return schema.QuantizationParametersT(
        scale=scales, zeroPoint=np.full(len(scales), zero_point, np.int64), quantizedDimension=axis
    )


def blockwise(scales_tensor: int, group_size: int) -> Any:
    """Return the quantization of weights that share a scale in groups; the scales are a tensor of their own."""
    from ai_edge_litert import schema_py_generated as schema

    details = schema.BlockwiseQuantizationT(scales=scales_tensor, zeroPoints=-1, blockSize=group_size)
    kind = schema.QuantizationDetails.BlockwiseQuantization
    return schema.QuantizationParametersT(detailsType=kind, details=details)


@dataclass(slots=True)
class Draft:
    """A model in the making: tensors and operators are added in order, `build` gives the bytes of the file."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def tensor(
        self, shape: tuple[int, ...], kind: int, *, params: Any = None, data: npt.NDArray[np.generic] | None = None
    ) -> int:
        """Add a tensor, constant where `data` is given, and return its number."""
        from ai_edge_litert import schema_py_generated as schema

        if not self.buffers:
            self.buffers.append(schema.BufferT())
        number = 0
        if data is not None:
            number = len(self.buffers)
            self.buffers.append(schema.BufferT(data=np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)))
        name = f"t{len(self.tensors)}"
        self.tensors.append(
            schema.TensorT(shape=list(shape), type=kind, buffer=number, name=name.encode(), quantization=params)
        )
        return len(self.tensors) - 1

    def operator(self, code: int, inputs: list[int], output: int, options: Any) -> None:
        """Add one operation with its builtin options."""
        from ai_edge_litert import schema_py_generated as schema

        if code not in self.codes:
            self.codes.append(code)
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=self.codes.index(code),
                inputs=inputs,
                outputs=[output],
                builtinOptionsType=_OPTIONS[code],
                builtinOptions=options,
            )
        )

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Return the flatbuffer of the model."""
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        graph = schema.SubGraphT(tensors=self.tensors, inputs=inputs, outputs=outputs, operators=self.operators)
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=_VERSION) for code in self.codes
        ]
        model = schema.ModelT(
            version=_VERSION, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers, description=b"qbench"
        )
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
