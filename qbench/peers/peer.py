"""What a peer promises: it says whether it can run here, and prepares one model for many calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from qbench.graph import QuantizedNetwork

Floats = npt.NDArray[np.float32]
Precision = Literal["fp32", "bf16", "int8"]


class Prepared(Protocol):
    """A model that is loaded, optimized and ready to be called."""

    def run(self, inputs: Floats) -> Floats:
        """Return the float32 output of `inputs` of any batch size, as an array of its own.

        Images are float32 NCHW; token ids are int64 (n, tokens).
        """
        ...

    def bind(self, inputs: Floats) -> Callable[[], Floats]:
        """Return a call that computes these very `inputs` again into one buffer, allocating nothing."""
        ...


class Peer(Protocol):
    """Another library at one precision.

    Attributes:
        name: the peer's name in suites and results.
        precision: of its arithmetic. `int8` wants a quantized network, the others one in float32.
    """

    name: ClassVar[str]
    precision: ClassVar[Precision]

    def supports(self) -> str | None:
        """Return why this peer cannot run here, or None."""
        ...

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> Prepared:
        """Return the network ready to run on `threads` threads; raise ModelError when the library refuses it."""
        ...
