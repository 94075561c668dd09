"""fp32 by onnxruntime: the speed that every quantized row is measured against."""

from __future__ import annotations

from typing import ClassVar, Literal

from qbench.peers.onnxruntime_session import OnnxRuntimeSession, missing


class OnnxRuntimeFp32:
    """onnxruntime on a float model."""

    name: ClassVar[str] = "onnxruntime-fp32"
    model: ClassVar[Literal["float", "qdq"]] = "float"

    def supports(self) -> str | None:
        """Return why onnxruntime cannot be used here, or None."""
        return missing()

    def prepare(self, model_bytes: bytes, *, threads: int) -> OnnxRuntimeSession:
        """Return the model ready to run on `threads` threads; raise ModelError when onnxruntime refuses it."""
        return OnnxRuntimeSession(model_bytes, threads=threads, name=self.name)
