"""int8 by OpenVINO: its own integer kernels on a QDQ model with qbench's scales (u8 activations, s8 weights)."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.openvino.session import OpenVinoSession, missing_library
from qbench.peers.peer import EightBitPeer


class OpenVinoInt8(EightBitPeer):
    """OpenVINO on an int8 model (QDQ)."""

    name: ClassVar[str] = "openvino-int8"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OpenVinoSession:
        """Return the model ready to run on `threads` threads; raise ModelError when OpenVINO refuses it."""
        return OpenVinoSession(onnx_bytes(quantized), quantized.network, threads=threads, name=self.name)
