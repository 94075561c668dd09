"""int8 by onnxruntime: its own integer kernels on a QDQ model with qbench's scales (u8 activations, s8 weights)."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.onnxruntime.session import OnnxRuntimeSession, missing
from qbench.peers.peer import Precision


class OnnxRuntimeInt8:
    """onnxruntime on an int8 model (QDQ)."""

    name: ClassVar[str] = "onnxruntime-int8"
    precision: ClassVar[Precision] = "int8"

    def supports(self) -> str | None:
        """Return why onnxruntime cannot be used here, or None."""
        return missing()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OnnxRuntimeSession:
        """Return the model ready to run on `threads` threads; raise ModelError when onnxruntime refuses it."""
        return OnnxRuntimeSession(onnx_bytes(quantized), threads=threads, name=self.name)
