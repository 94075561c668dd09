"""fp32 by OpenVINO, bfloat16 switched off."""

from __future__ import annotations

from typing import ClassVar, Literal

from qbench.peers.openvino_session import OpenVinoSession, missing


class OpenVinoFp32:
    """OpenVINO on a float model."""

    name: ClassVar[str] = "openvino-fp32"
    model: ClassVar[Literal["float", "qdq"]] = "float"

    def supports(self) -> str | None:
        """Return why OpenVINO cannot be used here, or None."""
        return missing()

    def prepare(self, model_bytes: bytes, *, threads: int) -> OpenVinoSession:
        """Return the model ready to run on `threads` threads; raise ModelError when OpenVINO refuses it."""
        return OpenVinoSession(model_bytes, threads=threads, name=self.name)
