"""OpenVINO on the CPU: one stream, compiled for each batch size, inputs and outputs shared, no copy a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError

Floats = npt.NDArray[np.float32]


def missing() -> str | None:
    """Return why OpenVINO cannot be used here, or None."""
    try:
        import openvino  # noqa: F401  (that it imports is the question)
    except ImportError:
        return "openvino is not installed: install qbench with its extra 'peers'"
    return None


class OpenVinoSession:
    """One ONNX model with one float input and one float output, on `threads` threads.

    Its default precision on CPUs with bfloat16 is bfloat16; float32 is forced, so that a float row is what it says.

    Args:
        model_bytes: a serialized ONNX model whose first axis is the batch.
        threads: threads inside an operator.
        name: the peer's name, for messages.
    """

    def __init__(self, model_bytes: bytes, *, threads: int, name: str) -> None:
        self._bytes, self._name = model_bytes, name
        self._settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # the runner pins every thread of the process, the same way for all
        }
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._model(None)

    def _model(self, shape: tuple[int, ...] | None) -> Any:
        import openvino

        try:
            model = openvino.Core().read_model(self._bytes, b"")
            if shape is not None:
                model.reshape(shape)
            return model
        except Exception as error:  # pybind exceptions of openvino share no public parent
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
            raise ModelError(f"{self._name}: expected a model that OpenVINO accepts, got: {reason}") from error

    def _request(self, shape: tuple[int, ...]) -> Any:
        import openvino

        if shape not in self._compiled:
            compiled = openvino.Core().compile_model(self._model(shape), "CPU", self._settings)
            self._compiled[shape] = compiled.create_infer_request()
        return self._compiled[shape]

    def run(self, inputs: Floats) -> Floats:
        """Return the output of float32 NCHW `inputs`."""
        return self.bind(inputs)().copy()

    def bind(self, inputs: Floats) -> Callable[[], Floats]:
        """Return a call that computes `inputs` into a buffer of its own."""
        import openvino

        inputs = np.ascontiguousarray(inputs, dtype=np.float32)
        request = self._request(inputs.shape)
        tensor = openvino.Tensor(inputs, shared_memory=True)
        target: Floats = request.get_output_tensor(0).data  # a view of the request's own memory

        def call(inputs: Floats = inputs) -> Floats:  # the default keeps the shared memory alive
            request.set_input_tensor(0, tensor)
            request.infer()
            return target

        return call
