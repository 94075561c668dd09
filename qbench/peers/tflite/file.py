"""A writer of TensorFlow Lite files by the schema that ai-edge-litert brings: tensors and operators, one subgraph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
_FILE_VERSION = 3
_OPTIONS = {
    "ADD": "Add", "AVERAGE_POOL_2D": "Pool2D", "BATCH_MATMUL": "BatchMatMul", "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "DEQUANTIZE": "Dequantize", "FULLY_CONNECTED": "FullyConnected",
    "GATHER": "Gather", "GELU": "Gelu", "MAXIMUM": "MaximumMinimum", "MAX_POOL_2D": "Pool2D", "MEAN": "Reducer",
    "MINIMUM": "MaximumMinimum", "MUL": "Mul", "PAD": "Pad", "PADV2": "PadV2", "QUANTIZE": "Quantize",
    "RESHAPE": "Reshape", "RSQRT": "", "SOFTMAX": "Softmax", "SUB": "Sub", "TRANSPOSE": "Transpose",
}  # fmt: skip
_VERSIONS = {"QUANTIZE": 2, "RESHAPE": 1, "FULLY_CONNECTED": 9, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3}
_LAST_OLD_CODE = 127  # what the old field of 8 bits holds where an operator's number is larger
_LEAST_VERSION = 2  # the first in which the other operators take int8


class TfliteFile:
    """Collects tensors and operators, then gives a model's bytes; a tensor is known by its number."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema: Any = schema_py_generated
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self.schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: list[str] = []

    def tensor(
        self, name: str, shape: tuple[int, ...], kind: str, *, params: Any = None, data: Array | None = None
    ) -> int:
        """Add a tensor of kind `INT8`, `INT32` or `FLOAT32`, constant where `data` is given; return its number."""
        number = 0
        if data is not None:
            number = len(self._buffers)
            self._buffers.append(
                self.schema.BufferT(data=np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8))
            )
        self._tensors.append(
            self.schema.TensorT(
                shape=list(shape), type=getattr(self.schema.TensorType, kind), buffer=number, name=name.encode(),
                quantization=params,
            )
        )  # fmt: skip
        return len(self._tensors) - 1

    def quantization(self, scale: npt.ArrayLike, zero_point: int, *, axis: int = 0) -> Any:
        """Return real = scale * (code - zero_point) for a tensor, or for each channel of `axis`."""
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        return self.schema.QuantizationParametersT(
            scale=scales, zeroPoint=np.full(len(scales), zero_point, np.int64), quantizedDimension=axis
        )

    def operator(self, op: str, inputs: list[int], output: int, **options: Any) -> int:
        """Add an operator with its options; return the tensor that it writes."""
        if op not in self._codes:
            self._codes.append(op)
        made = self.schema.OperatorT(opcodeIndex=self._codes.index(op), inputs=inputs, outputs=[output])
        if _OPTIONS[op]:
            kind = f"{_OPTIONS[op]}Options"
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(self.schema, f"{kind}T")(**options)
        self._operators.append(made)
        return output

    def to_bytes(self, source: int, output: int) -> bytes:
        """Return the flatbuffer of the model from one tensor to another."""
        import flatbuffers

        schema = self.schema
        numbers = {op: getattr(schema.BuiltinOperator, op) for op in self._codes}
        codes = [
            schema.OperatorCodeT(
                deprecatedBuiltinCode=min(number, _LAST_OLD_CODE),
                builtinCode=number,
                version=_VERSIONS.get(op, _LEAST_VERSION),
            )
            for op, number in numbers.items()
        ]
        graph = schema.SubGraphT(tensors=self._tensors, inputs=[source], outputs=[output], operators=self._operators)
        model = schema.ModelT(
            version=_FILE_VERSION, operatorCodes=codes, subgraphs=[graph], buffers=self._buffers, description=b"qbench"
        )
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
