"""onnxruntime on the CPU, called through an IOBinding: inputs and outputs stay where they are, no copy per call.

Threads spin between calls as onnxruntime has it by default: that is what its users get, and what it is fastest with.
The runner waits for them to fall asleep before another cell has its turn (`qbench.runner.machine.quiet`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.kernels import VNNI, instruction_sets

Floats = npt.NDArray[np.float32]
_ERRORS_ONLY = 3


def missing_library() -> str | None:
    """Return why onnxruntime cannot be used here, or None."""
    try:
        import onnxruntime  # noqa: F401  (that it imports is the question)
    except ImportError as error:
        return f"onnxruntime cannot be imported: {error}"
    return None


def multiply_exactly(options: Any) -> None:
    """Set what keeps u8 x s8 products of a session from saturating where the CPU has no VNNI (onnxruntime issue 6004).

    Where it has, this would only cost: int8 ResNet-20 took 62 ms per batch of 256 with it, 27 ms without.
    """
    if not instruction_sets() & VNNI:
        options.add_session_config_entry("session.x64quantprecision", "1")


class OnnxRuntimeSession:
    """One ONNX model with one input, float images or token ids, and one float output, on `threads` threads.

    Args:
        model_bytes: a serialized ONNX model whose first axis is the batch.
        threads: threads inside an operator; operators themselves run one after another.
        name: the peer's name, for messages.
    """

    def __init__(self, model_bytes: bytes, *, threads: int, name: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        multiply_exactly(options)
        try:
            self._session: Any = onnxruntime.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # pybind exceptions of onnxruntime share no public parent
            raise ModelError(f"{name}: expected a model that onnxruntime accepts, got: {_first_line(error)}") from error
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name

    def run(self, inputs: Floats) -> Floats:
        """Return the output of float32 NCHW `inputs`."""
        result: Floats = self._session.run([self._output], {self._input: inputs})[0]
        return result

    def bind(self, inputs: Floats) -> Callable[[], Floats]:
        """Return a call that computes `inputs` into a buffer of its own."""
        inputs = np.ascontiguousarray(inputs)
        target = np.zeros_like(self.run(inputs))
        binding = self._session.io_binding()
        binding.bind_input(self._input, "cpu", 0, inputs.dtype, inputs.shape, inputs.ctypes.data)
        binding.bind_output(self._output, "cpu", 0, np.float32, target.shape, target.ctypes.data)
        run_with_binding = self._session.run_with_iobinding

        def call(inputs: Floats = inputs) -> Floats:  # the default keeps the bound memory alive
            run_with_binding(binding)
            return target

        return call


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
