"""fp32 by PyTorch: its compiler with frozen, prepacked weights."""

from __future__ import annotations

from typing import ClassVar

from qbench.graph import QuantizedNetwork
from qbench.peers.peer import FloatPeer, Precision
from qbench.peers.torch.session import TorchSession, missing_library


class TorchFp32(FloatPeer):
    """torch.compile on a float model."""

    name: ClassVar[str] = "torch-fp32"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    precision: ClassVar[Precision] = "fp32"

    def missing(self) -> str | None:
        """Return why torch cannot be used here, or None."""
        return missing_library()

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> TorchSession:
        """Return the model ready to run on `threads` threads; raise ModelError when torch cannot compile it."""
        return TorchSession(quantized, threads=threads, name=self.name)
