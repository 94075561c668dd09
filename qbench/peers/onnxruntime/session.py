"""onnxruntime on the CPU, called through an IOBinding: inputs and outputs stay where they are, no copy per call.

Threads spin between calls as onnxruntime has it by default: that is what its users get, and what it is fastest with.
The runner waits for them to fall asleep before another cell has its turn (`qbench.runner.machine.quiet`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph import Network
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
    """One ONNX model and the output that is scored, on `threads` threads.

    A call takes all samples that it is given; only as many as the network is fixed to where that is so, and one where
    an input or output has no batch: its array is then a whole one for each sample, as qbench's own sessions have it.

    Args:
        model_bytes: a serialized ONNX model of `network`, with its inputs and outputs in the same order.
        network: says which output is scored, and which axes are a batch.
        threads: threads inside an operator; operators themselves run one after another.
        name: the peer's name, for messages.
    """

    def __init__(self, model_bytes: bytes, network: Network, *, threads: int, name: str) -> None:
        import onnxruntime

        self._name = name
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
        self._output = self._session.get_outputs()[network.outputs.index(network.answer)].name
        ends = {*network.inputs, *network.outputs}
        self._samples = 1 if network.unbatched & ends else network.batch
        self._whole = tuple(tensor in network.unbatched for tensor in network.inputs)
        self._answer_is_whole = network.answer in network.unbatched

    def run(self, *inputs: Array) -> Floats:
        """Return the scored output of an array for each input, of float32 NCHW images mostly.

        Raises:
            ModelError: onnxruntime fails on them.
        """
        made = [self._run(part) for part in self._parts(self._filled(inputs))]
        return made[0] if len(made) == 1 else np.concatenate(made)[: len(inputs[0])]

    def bind(self, *inputs: Array) -> Callable[[], Floats]:
        """Return a call that computes `inputs` into a buffer of its own."""
        kept = tuple(np.ascontiguousarray(array) for array in self._filled(inputs))
        target = np.zeros_like(np.concatenate([self._run(part) for part in self._parts(kept)]))
        parts, size = self._parts(kept), self._samples or len(target)
        bindings = [
            self._binding(part, target[at, ...] if self._answer_is_whole else target[at : at + size])
            for part, at in zip(parts, range(0, len(target), size), strict=True)
        ]
        run_with_binding, answers = self._session.run_with_iobinding, target[: len(inputs[0])]

        def call(kept: tuple[Array, ...] = kept) -> Floats:  # the default keeps the bound memory alive
            for binding in bindings:
                run_with_binding(binding)
            return answers

        return call

    def _filled(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return the inputs with the last sample again until whole calls are full."""
        missing = -len(inputs[0]) % (self._samples or 1)
        return tuple(np.concatenate([array, array[-1:].repeat(missing, 0)]) if missing else array for array in inputs)

    def _parts(self, inputs: tuple[Array, ...]) -> list[tuple[Array, ...]]:
        """Return what each call is given: views of the inputs, which fill whole calls."""
        size = self._samples
        if size is None:
            return [inputs]
        return [
            tuple(
                array[at, ...] if whole else array[at : at + size]
                for array, whole in zip(inputs, self._whole, strict=True)
            )
            for at in range(0, len(inputs[0]), size)
        ]

    def _run(self, part: tuple[Array, ...]) -> Floats:
        """Return the answers of one call, the batch first."""
        try:
            made: Floats = self._session.run([self._output], dict(zip(self._inputs, part, strict=True)))[0]
        except Exception as error:  # as above
            raise ModelError(f"{self._name}: expected a model that runs, got: {_first_line(error)}") from error
        return made[None] if self._answer_is_whole else made

    def _binding(self, part: tuple[Array, ...], target: Array) -> Any:
        binding = self._session.io_binding()
        for name, array in zip(self._inputs, part, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        binding.bind_output(self._output, "cpu", 0, target.dtype, target.shape, target.ctypes.data)
        return binding


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
