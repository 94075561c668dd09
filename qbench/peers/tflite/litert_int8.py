"""int8 by LiteRT (TensorFlow Lite with XNNPACK), from the network itself: it reads no ONNX.

Images are handed over as NHWC and token ids as int32, which is what its models take; they are turned before any clock
runs. Its threads are XNNPACK's own pool, so that it shares a process with others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.several import Array, only
from qbench.errors import ModelError
from qbench.graph import QuantizedNetwork
from qbench.peers.peer import EightBitPeer, check_batched
from qbench.peers.tflite.network import tflite_bytes
from qbench.peers.tflite.tokens import encoder_bytes

Floats = npt.NDArray[np.float32]


class LiteRtInt8(EightBitPeer):
    """LiteRT on a full-integer model with qbench's scales."""

    name: ClassVar[str] = "litert-int8"
    distributions: ClassVar[tuple[str, ...]] = ("ai-edge-litert",)

    def missing(self) -> str | None:
        """Return why LiteRT cannot be used here, or None."""
        try:
            import ai_edge_litert.interpreter  # noqa: F401  (that it imports is the question)
        except ImportError:
            return "ai-edge-litert is not installed: install qbench with its extra 'peers'"
        return None

    def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> LiteRtSession:
        """Return the model ready to run on `threads` threads; raise ModelError when LiteRT cannot hold it."""
        if quantized.is_float:
            raise ModelError(f"{self.name}: expected a model with codes and scales, got one in float32")
        return LiteRtSession(quantized, threads=threads, name=self.name)


class LiteRtSession:
    """An interpreter for each batch size, since XNNPACK plans for one, and for each bound call.

    Args:
        quantized: network, codes and scales.
        threads: of XNNPACK.
        name: the peer's name, for messages.
    """

    def __init__(self, quantized: QuantizedNetwork, *, threads: int, name: str) -> None:
        check_batched(quantized.network, name)
        self._quantized, self._threads, self._name = quantized, threads, name
        self._interpreters: dict[int, Any] = {1: self._interpreter(1)}

    def run(self, *given: Array) -> Floats:
        """Return the output of float32 NCHW images, or of int64 token ids."""
        inputs = only(given, self._name)
        if len(inputs) not in self._interpreters:
            self._interpreters[len(inputs)] = self._interpreter(len(inputs))
        return _bound(self._interpreters[len(inputs)], inputs)().copy()

    def bind(self, *given: Array) -> Callable[[], Floats]:
        """Return a call that computes what is given into a buffer of its own; it has an interpreter of its own too."""
        inputs = only(given, self._name)
        return _bound(self._interpreter(len(inputs)), inputs)

    def _interpreter(self, batch: int) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        write = encoder_bytes if len(self._quantized.network.input_shape) == 1 else tflite_bytes
        content = write(self._quantized, batch=batch, name=self._name)
        try:
            interpreter = Interpreter(model_content=content, num_threads=self._threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip() or "no reason").splitlines()[0]
            raise ModelError(f"{self._name}: expected a model that LiteRT accepts, got: {reason}") from error
        return interpreter


def _bound(interpreter: Any, inputs: Floats) -> Callable[[], Floats]:
    """Return a call of an interpreter that keeps `inputs` as its input."""
    given: npt.NDArray[np.generic] = inputs.transpose(0, 2, 3, 1) if inputs.ndim == 4 else inputs
    source = interpreter.get_input_details()[0]
    interpreter.set_tensor(source["index"], np.ascontiguousarray(given, dtype=source["dtype"]))
    details = interpreter.get_output_details()[0]
    output = details["index"]
    target: Floats = np.zeros(details["shape"], np.float32)

    def call() -> Floats:
        interpreter.invoke()
        np.copyto(target, interpreter.get_tensor(output))
        return target

    return call
