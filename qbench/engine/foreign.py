"""Runs a `Foreign` node: an ONNX model of its own, in float, through onnxruntime. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qbench.errors import ModelError
from qbench.graph.nodes import Foreign

Array = npt.NDArray[Any]


class Runs(Protocol):
    """What runs a node on arrays."""

    node: Foreign

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return what the node writes."""


def copied(runner: Runs, reads: Sequence[Array], writes: Sequence[Array]) -> None:
    """Run a node on arrays and copy what it makes to others.

    Raises:
        ModelError: it fails, or makes other shapes.
    """
    for array, made in zip(writes, runner.run(reads), strict=True):
        if made.shape != array.shape:
            what = f"node '{runner.node.name}' ({', '.join(runner.node.operators)})"
            raise ModelError(f"{what}: expected {array.shape}, got {made.shape}")
        array[...] = made


class ForeignRunner:
    """One session for one node, ready to run; safe to call from several Python threads.

    Args:
        node: the node.
        threads: threads that onnxruntime may use inside an operator; they sleep between calls.

    Raises:
        ModelError: onnxruntime cannot run the model, in one line that names the node and its operators.
    """

    def __init__(self, node: Foreign, *, threads: int = 1) -> None:
        import onnxruntime  # a second that networks without foreign operators need not wait

        self.node = node
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # qbench's own threads run beside it
        options.log_severity_level = 4  # what goes wrong is raised
        try:
            self._session = onnxruntime.InferenceSession(node.model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no parent of their own
            raise _refusal(node, "cannot run", error) from error

    def run(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Return what the node writes, given what it reads, both in the node's order and with the batch first.

        Raises:
            ModelError: the arrays do not fit, or an operator fails on them.
        """
        if len(inputs) != len(self.node.inputs):
            raise ModelError(f"node '{self.node.name}': expected {len(self.node.inputs)} inputs, got {len(inputs)}")
        feeds = dict(zip((port.name for port in self._session.get_inputs()), inputs, strict=True))
        try:
            return tuple(np.asarray(output) for output in self._session.run(None, feeds))
        except Exception as error:
            raise _refusal(self.node, "failed", error) from error

    def into(self, reads: Sequence[Array], writes: Sequence[Array]) -> Callable[[], None]:
        """Return a call that runs the node from these very arrays into those, as often as it is called.

        Where all of them are contiguous onnxruntime is told their addresses once: no array is made, nothing is copied.
        """
        if not all(array.flags.c_contiguous and array.size for array in (*reads, *writes)):
            return partial(copied, self, reads, writes)
        binding = self._session.io_binding()
        for ports, arrays, bind in (
            (self._session.get_inputs(), reads, binding.bind_input),
            (self._session.get_outputs(), writes, binding.bind_output),
        ):
            for port, array in zip(ports, arrays, strict=True):
                bind(port.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

        def call() -> None:
            try:
                self._session.run_with_iobinding(binding)
            except Exception as error:
                raise _refusal(self.node, "failed", error) from error

        return call


def _refusal(node: Foreign, what: str, error: Exception) -> ModelError:
    line = " ".join(str(error).split())[:200]
    return ModelError(f"node '{node.name}' ({', '.join(dict.fromkeys(node.operators))}): onnxruntime {what}: {line}")
