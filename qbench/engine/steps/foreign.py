"""A Foreign node as a task: the compiled program calls back into Python, which lets onnxruntime compute it.

Numba's threads hold no GIL; the callback takes it for the few microseconds around onnxruntime's own work. What goes
wrong there cannot be raised through compiled code: it is kept in `failures`, and the session raises it after the run.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.engine.foreign import ForeignRunner
from qbench.engine.plans.plan import Buffers, Step
from qbench.errors import ModelError, QBenchError
from qbench.graph import Foreign, Network, inputs_of
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task

Array = npt.NDArray[Any]
_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class ForeignCall:
    """What a task calls: runs the node on the first images of its buffers' views."""

    def __init__(
        self, runner: ForeignRunner, reads: Sequence[Array], writes: Array, failures: list[QBenchError]
    ) -> None:  # fmt: skip
        self._runner, self._reads, self._writes, self._failures = runner, reads, writes, failures
        self._callback = _TASK(self._call)

    @property
    def address(self) -> int:
        """Address of the C function."""
        return int(ctypes.cast(self._callback, ctypes.c_void_p).value or 0)

    def _call(self, arguments: int, images: int, part: int, parts: int) -> None:
        if part:
            return  # the team's first thread computes all of it
        try:
            (made,) = self._runner.run([array[:images] for array in self._reads])
            self._writes[:images] = made
        except QBenchError as error:
            self._failures.append(error)
        except Exception as error:  # whatever it is, compiled code cannot pass it on, and it must not be lost
            node = self._runner.node
            self._failures.append(
                ModelError(f"node '{node.name}' ({', '.join(node.operators)}): {' '.join(str(error).split())}")
            )


def view_of(buffers: Buffers, tensor: str, network: Network, layout: Layout) -> Array:
    """Return a tensor's numbers in its own shape, the batch first, without the padding of its buffer."""
    shape = network.shapes[tensor]
    kind = np.dtype(network.dtypes.get(tensor, "float32"))
    whole = buffers[tensor].view(kind)
    if layout.words != layout.channels:
        return whole.reshape(layout.images, *shape[:-1], layout.words)[..., : layout.channels]
    return whole.reshape(layout.images, *shape)


def foreign_step(
    network: Network, node: Foreign, layouts: Mapping[str, Layout], operations: int, failures: list[QBenchError]
) -> Step:  # fmt: skip
    """Return the step of a Foreign that writes one tensor.

    Raises:
        ModelError: it writes several, or onnxruntime cannot run it.
    """
    if len(node.outputs) != 1:
        raise ModelError(f"node '{node.name}': writes {len(node.outputs)} tensors, expected one for a step")
    runner = ForeignRunner(node)

    def join(buffers: Buffers) -> Task:
        reads = [view_of(buffers, tensor, network, layouts[tensor]) for tensor in node.inputs]
        call = ForeignCall(runner, reads, view_of(buffers, node.output, network, layouts[node.output]), failures)
        return Task(call, np.zeros(1, np.int64), (call,))

    name = "+".join(dict.fromkeys(node.operators))
    return Step(node.name, f"{name}/onnxruntime", operations, inputs_of(node), node.output, join, False)
