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

Array = npt.NDArray[Any]
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
    """One ONNX model and its first output, float32, on `threads` threads.

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
        self._inputs = tuple(one.name for one in self._session.get_inputs())
        self._output = self._session.get_outputs()[0].name

    def run(self, *inputs: Array) -> Floats:
        """Return the first output of an array for each input, of float32 NCHW images mostly."""
        result: Floats = self._session.run([self._output], dict(zip(self._inputs, inputs, strict=True)))[0]
        return result

    def bind(self, *inputs: Array) -> Callable[[], Floats]:
        """Return a call that computes `inputs` into a buffer of its own."""
        kept = tuple(np.ascontiguousarray(array) for array in inputs)
        target = np.zeros_like(self.run(*kept))
        binding = self._session.io_binding()
        for name, array in zip(self._inputs, kept, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        binding.bind_output(self._output, "cpu", 0, np.float32, target.shape, target.ctypes.data)
        run_with_binding = self._session.run_with_iobinding

        def call(kept: tuple[Array, ...] = kept) -> Floats:  # the default keeps the bound memory alive
            run_with_binding(binding)
            return target

        return call


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
