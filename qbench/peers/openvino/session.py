"""OpenVINO on the CPU: compiled for each batch size, inputs and outputs shared, no copy per call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.several import Array, only
from qbench.errors import ModelError
from qbench.graph import Network
from qbench.peers.peer import check_batched

Floats = npt.NDArray[np.float32]


def missing_library() -> str | None:
    """Return why OpenVINO cannot be used here, or None."""
    try:
        import openvino  # noqa: F401  (that it imports is the question)
    except ImportError:
        return "openvino is not installed: install qbench with its extra 'peers'"
    return None


class OpenVinoSession:
    """One ONNX model with one input, float images or token ids, and its scored output, on `threads` threads.

    Its default precision on CPUs with bfloat16 is bfloat16; float32 is asked for unless the caller wants otherwise, so
    that a float row is what it says.

    Args:
        model_bytes: a serialized ONNX model of `network`, with its inputs and outputs in the same order.
        network: has the batch first everywhere; says which output is scored.
        threads: threads of all streams together.
        name: the peer's name, for messages.
        precision: of what is not in integers, `f32` or `bf16`.
        streams: parts that a batch is cut into, run side by side on their share of the threads (throughput mode).
    """

    def __init__(
        self, model_bytes: bytes, network: Network, *, threads: int, name: str, precision: str = "f32",
        streams: int = 1,
    ) -> None:  # fmt: skip
        check_batched(network, name)
        self._output = network.outputs.index(network.answer)
        self._bytes, self._name, self._streams = model_bytes, name, streams
        self._settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
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
            self._compiled[shape] = openvino.Core().compile_model(self._model(shape), "CPU", self._settings)
        return self._compiled[shape].create_infer_request()

    def run(self, *given: Array) -> Floats:
        """Return the output of float32 NCHW images."""
        return self.bind(*given)().copy()

    def bind(self, *given: Array) -> Callable[[], Floats]:
        """Return a call that computes what is given into a buffer of its own."""
        import openvino

        inputs = np.ascontiguousarray(only(given, self._name))
        parts = np.array_split(inputs, min(self._streams, len(inputs)))
        requests = [self._request(part.shape) for part in parts]
        ends = np.cumsum([0, *map(len, parts)])
        output: Any = requests[0].get_output_tensor(self._output)
        target: Floats = np.zeros((len(inputs), *output.shape[1:]), np.float32)
        for request, part, start, stop in zip(requests, parts, ends, ends[1:], strict=False):
            request.set_input_tensor(0, openvino.Tensor(part, shared_memory=True))
            request.set_output_tensor(self._output, openvino.Tensor(target[start:stop], shared_memory=True))

        def call(inputs: Floats = inputs) -> Floats:  # the default keeps the shared memory alive
            for request in requests[1:]:
                request.start_async()
            requests[0].infer()
            for request in requests[1:]:
                request.wait()
            return target

        return call
