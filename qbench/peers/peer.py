"""What a peer promises: it says whether it can run here, and prepares one model for many calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Prepared(Protocol):
    """A model that is loaded, optimized and ready to be called."""

    def run(self, inputs: Floats) -> Floats:
        """Return the float32 output of float32 NCHW `inputs` of any batch size, as an array of its own."""
        ...

    def bind(self, inputs: Floats) -> Callable[[], Floats]:
        """Return a call that computes these very `inputs` again into one buffer, allocating nothing."""
        ...


class Peer(Protocol):
    """Another library at one precision.

    Attributes:
        name: the peer's name in suites and results.
        model: which ONNX model it wants, `float` or `qdq` (u8 activations, s8 weights, QuantizeLinear and its inverse).
    """

    name: ClassVar[str]
    model: ClassVar[Literal["float", "qdq"]]

    def supports(self) -> str | None:
        """Return why this peer cannot run here, or None."""
        ...

    def prepare(self, model_bytes: bytes, *, threads: int) -> Prepared:
        """Return the model ready to run on `threads` threads; raise ModelError when the library refuses it."""
        ...
