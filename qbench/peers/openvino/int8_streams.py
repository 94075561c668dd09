"""int8 by OpenVINO in throughput mode: two streams, each with half of a batch and half of the threads."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.openvino.session import OpenVinoSession, missing_library
from qbench.peers.peer import EightBitPeer


class OpenVinoInt8Streams(EightBitPeer):
    """OpenVINO on an int8 model (QDQ), two streams."""

    name: ClassVar[str] = "openvino-int8-2streams"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OpenVinoSession:
        """Return the model ready to run on `threads` threads; raise ModelError when OpenVINO refuses it."""
        return OpenVinoSession(onnx_bytes(quantized), quantized.network, threads=threads, name=self.name, streams=2)
