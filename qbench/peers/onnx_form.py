"""The form in which most libraries take a network: the bytes of an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.graph import QuantizedNetwork


@dataclass(frozen=True, slots=True, eq=False)
class WrittenOnnx(QuantizedNetwork):
    """A network that was written as ONNX before: its graph has its ends, and no nodes.

    Args:
        written: the file.
    """

    written: bytes = b""


def onnx_bytes(quantized: QuantizedNetwork) -> bytes:
    """Return a network as an ONNX file: float, or QDQ with u8 activations and s8 weights; as its own file has it.

    Raises:
        ModelError: its parameters have no QDQ form (`qbench.graph.writing.qdq`).
    """
    if isinstance(quantized, WrittenOnnx):
        return quantized.written
    from qbench.graph import original_bytes, qdq_onnx_bytes, to_onnx_bytes  # here: they import onnx, 20 MB

    if quantized.file:
        return original_bytes(quantized)
    return to_onnx_bytes(quantized.network) if quantized.is_float else qdq_onnx_bytes(quantized)
