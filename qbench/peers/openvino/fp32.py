"""fp32 by OpenVINO, bfloat16 switched off."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.openvino.session import OpenVinoSession, missing_library
from qbench.peers.peer import FloatPeer, Precision


class OpenVinoFp32(FloatPeer):
    """OpenVINO on a float model."""

    name: ClassVar[str] = "openvino-fp32"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)
    precision: ClassVar[Precision] = "fp32"
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OpenVinoSession:
        """Return the model ready to run on `threads` threads; raise ModelError when OpenVINO refuses it."""
        return OpenVinoSession(onnx_bytes(quantized), quantized.network, threads=threads, name=self.name)
