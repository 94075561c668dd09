"""int8 by PyTorch: what its compiler makes of a network quantized by PT2E, with qbench's scales (u8 by s8, oneDNN)."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.peer import EightBitPeer
from qbench.peers.torch.session import TorchSession, missing_library


class TorchInt8(EightBitPeer):
    """torch.compile on an int8 model (PT2E)."""

    name: ClassVar[str] = "torch-int8"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> TorchSession:
        """Return the model ready to run on `threads` threads; raise ModelError when torch cannot compile it."""
        return TorchSession(quantized, threads=threads, name=self.name)
