"""fp32 by onnxruntime: the speed that every quantized row is measured against."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.onnxruntime.session import OnnxRuntimeSession, missing_library
from qbench.peers.peer import FloatPeer, Precision


class OnnxRuntimeFp32(FloatPeer):
    """onnxruntime on a float model."""

    name: ClassVar[str] = "onnxruntime-fp32"
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    precision: ClassVar[Precision] = "fp32"
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why onnxruntime cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OnnxRuntimeSession:
        """Return the model ready to run on `threads` threads; raise ModelError when onnxruntime refuses it."""
        return OnnxRuntimeSession(onnx_bytes(quantized), quantized.network, threads=threads, name=self.name)
