"""int8 by onnxruntime: its own integer kernels on a QDQ model with qbench's scales (u8 activations, s8 weights)."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.onnxruntime.session import OnnxRuntimeSession, missing_library
from qbench.peers.peer import EightBitPeer


class OnnxRuntimeInt8(EightBitPeer):
    """onnxruntime on an int8 model (QDQ)."""

    name: ClassVar[str] = "onnxruntime-int8"
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why onnxruntime cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OnnxRuntimeSession:
        """Return the model ready to run on `threads` threads; raise ModelError when onnxruntime refuses it."""
        return OnnxRuntimeSession(onnx_bytes(quantized), quantized.network, threads=threads, name=self.name)
