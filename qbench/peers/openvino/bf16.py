"""bfloat16 by OpenVINO: what it does with a float model by itself on a CPU that has bfloat16."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.kernels import instruction_sets
from qbench.peers.onnx_form import onnx_bytes
from qbench.peers.openvino.session import OpenVinoSession, missing_library
from qbench.peers.peer import FloatPeer, Precision


class OpenVinoBf16(FloatPeer):
    """OpenVINO on a float model, computed in bfloat16."""

    name: ClassVar[str] = "openvino-bf16"
    distributions: ClassVar[tuple[str, ...]] = ("openvino",)
    precision: ClassVar[Precision] = "bf16"
    reads_onnx: ClassVar[bool] = True

    def missing(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing_library() or (None if "avx512bf16" in instruction_sets() else "this CPU has no bfloat16")

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> OpenVinoSession:
        """Return the model ready to run on `threads` threads; raise ModelError when OpenVINO refuses it."""
        return OpenVinoSession(
            onnx_bytes(quantized), quantized.network, threads=threads, name=self.name, precision="bf16"
        )
