"""A Foreign node as a task: the compiled program calls back into Python, which lets onnxruntime compute it.

Numba's threads hold no GIL; the callback takes it for the few microseconds around onnxruntime's own work. What goes
wrong there cannot be raised through compiled code: it is kept in `failures`, and the session raises it after the run.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.reference_runner import ReferenceRunner, Runner, runner_of
from qbench.errors import ModelError, QBenchError
from qbench.graph import Foreign
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task

Array = npt.NDArray[Any]
ONNXRUNTIME, REFERENCE = "onnxruntime", "onnx-reference"
LIBRARIES = (ONNXRUNTIME, REFERENCE)
"""Who runs a Foreign; the second where the first has no kernel: slow, but it answers."""
_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor that a Foreign reads or writes: its buffer, its shape without the batch, its type.

    Where it has no batch its shape is whole, and a pass is one sample.
    """

    buffer: str
    shape: tuple[int, ...]
    kind: str
    has_batch: bool = True

    def view(self, buffers: Buffers, layout: Layout) -> Array:
        """Return the tensor in its own shape, the batch first, without the padding of its buffer."""
        whole = buffers[self.buffer].view(self.kind)
        if not self.has_batch:
            return whole.reshape(self.shape)
        if layout.words != layout.channels:
            return whole.reshape(layout.images, *self.shape[:-1], layout.words)[..., : layout.channels]
        return whole.reshape(layout.images, *self.shape)


class ForeignCall:
    """What a task calls: runs the node on the first images of its buffers' views, or on all of a fixed batch."""

    def __init__(
        self, runner: Runner, views: tuple[Sequence[Array], Sequence[Array]], failures: list[QBenchError], *,
        fixed: bool,
    ) -> None:  # fmt: skip
        self._runner, (self._reads, self._writes), self._failures = runner, views, failures
        self._fixed = fixed
        self._calls: dict[int, Callable[[], None]] = {}
        self._callback = _TASK(self._call)

    @property
    def address(self) -> int:
        """Address of the C function."""
        return int(ctypes.cast(self._callback, ctypes.c_void_p).value or 0)

    def _call(self, arguments: int, images: int, part: int, parts: int) -> None:
        if part:
            return  # the team's first thread computes all of it
        try:
            if images not in self._calls:
                sides = (self._reads, self._writes)
                views = sides if self._fixed else [[array[:images] for array in side] for side in sides]
                self._calls[images] = self._runner.into(*views)
            self._calls[images]()
        except QBenchError as error:
            self._failures.append(error)
        except Exception as error:  # whatever it is, compiled code cannot pass it on, and it must not be lost
            node = self._runner.node
            self._failures.append(
                ModelError(f"node '{node.name}' ({', '.join(node.operators)}): {' '.join(str(error).split())}")
            )


def foreign_step(
    node: Foreign, ports: tuple[Sequence[Port], Sequence[Port]], layouts: Mapping[str, Layout], operations: int,
    failures: list[QBenchError], *, fixed: bool,
) -> Step:  # fmt: skip
    """Return the step of a Foreign.

    Args:
        node: the node.
        ports: what it reads and what it writes, in its order.
        layouts: of all buffers.
        operations: per image, as far as they are known.
        failures: where what goes wrong is left.
        fixed: whether it runs a whole pass or nothing.

    Raises:
        ModelError: neither onnxruntime nor ONNX's reference can run it.
    """
    runner, (reads, writes) = runner_of(node), ports

    def join(buffers: Buffers) -> Task:
        views = tuple([port.view(buffers, layouts[port.buffer]) for port in side] for side in ports)
        call = ForeignCall(runner, (views[0], views[1]), failures, fixed=fixed)
        return Task(call, np.zeros(1, np.int64), (call,))

    name = "+".join(dict.fromkeys(node.operators))
    library = REFERENCE if isinstance(runner, ReferenceRunner) else ONNXRUNTIME
    first, *more = (port.buffer for port in writes)
    given = tuple(port.buffer for port in reads)
    return Step(node.name, f"{name}/{library}", operations, given, first, join, False, more=tuple(more))
