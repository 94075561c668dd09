"""A plan: the steps of a network over named buffers, each with a layout. `Workspace` gives it memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.engine.plans.stages import calls
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.program import program_of
from qbench.kernels.tasks import Task, Words, task_of

Array = npt.NDArray[Any]
Buffer = npt.NDArray[np.uint8]
Buffers = Mapping[str, Buffer]
Bind = Callable[[Buffers], Task]
SCRATCH = ":scratch"
"""The buffer that steps share for what they keep only while they run."""
X_ADDRESS, OUT_ADDRESS = 1, 4
"""Index, in the arguments of a task that loads an input (stores an output), of the pointer to the caller's array."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call; `bind` joins it to buffers.

    Args:
        name: the node that it computes.
        kind: what ran, e.g. `conv_u8_s8_u8/x86_vnni`.
        operations: arithmetic operations per image.
        reads: buffers.
        writes: buffer; `more` are those that it writes besides.
        bind: buffers -> task.
        in_integers: whether its arithmetic is integer.
        resident_bytes: bytes of its packed weights and parameters.
        scratch_bytes: bytes that each thread needs while it runs, in the buffer `SCRATCH`.
    """

    name: str
    kind: str
    operations: int
    reads: tuple[str, ...]
    writes: str
    bind: Bind
    in_integers: bool
    resident_bytes: int = 0
    scratch_bytes: int = 0
    more: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """All buffers that it writes."""
        return (self.writes, *self.more)


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the network: the buffer that holds it, its shape without the batch, numpy's name of its type."""

    buffer: str
    shape: tuple[int, ...]
    kind: str = "float32"


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps and layouts for passes of `images`.

    Args:
        images: the most images a pass takes.
        sizes: the most images that a call of each step takes; those that load take the first one's (see `stages`).
        layouts: layout of every buffer.
        fills: value of the border (and of every real channel before the first run), by buffer.
        loads: for each input, in the network's order, the step that takes it from the caller's array, its first one.
        steps: in order.
        outputs: in the network's order.
    """

    images: int
    sizes: tuple[int, ...]
    layouts: dict[str, Layout]
    fills: dict[str, float]
    loads: tuple[Step, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]


@dataclass(slots=True)
class Workspace:
    """Memory for one thread: buffers that later ones of equal layout and border reuse, and the program over them.

    `threads` may share its tasks: each has scratch of its own.
    """

    plan: Plan
    threads: int = 1
    buffers: dict[str, Buffer] = field(default_factory=dict)
    size_bytes: int = 0
    tasks: tuple[Task, ...] = field(init=False)
    program: Words = field(init=False)
    _sources: tuple[tuple[int, int], ...] = field(init=False)
    _pointers: Words = field(init=False)
    _all: list[Task] = field(init=False)

    def __post_init__(self) -> None:
        self._allocate()
        plan = self.plan
        steps, loads = (*plan.loads, *plan.steps), len(plan.loads)
        sizes = (*plan.sizes[:1] * loads, *plan.sizes)
        order = list(calls(sizes))
        bound = [steps[step].bind(self._at(steps[step].written, first, sizes[step])) for step, first in order]
        stores = [self._store(output) for output in plan.outputs]
        self._all = [*bound, *stores]
        places = [(first, sizes[step]) for step, first in order]
        self.program = program_of(self._all, [*places, *[(0, plan.images)] * len(stores)])
        taken = [(task, step, first) for task, (step, first) in zip(bound, order, strict=True) if step < loads]
        self._sources = tuple((step, first) for _, step, first in taken)
        ends = [(task, X_ADDRESS) for task, _, _ in taken] + [(task, OUT_ADDRESS) for task in stores]
        self._pointers = np.array([(task.arguments.ctypes.data + 8 * word, 0, 0) for task, word in ends], np.int64)
        self.tasks = tuple(task for task, (_, first) in zip(bound, order, strict=True) if first == 0)

    def _at(self, written: tuple[str, ...], first: int, images: int) -> Buffers:
        """Return the buffers for a call that writes some, which may hold more images than the call takes."""
        parts = {}
        for name in written:
            layout = self.plan.layouts[name]
            if layout.images != images:
                each = layout.size_bytes // layout.images
                begin = first % layout.images * each
                parts[name] = self.buffers[name][begin : begin + images * each]
        return {**self.buffers, **parts} if parts else self.buffers

    def output(self, number: int = 0) -> Array:
        """Return an output of a pass, (images, ...): a view of its buffer."""
        made = self.plan.outputs[number]
        return self._rows(made)[:, : math.prod(made.shape)].reshape(-1, *made.shape)

    def _rows(self, output: Output) -> Array:
        images = self.plan.layouts[output.buffer].images
        rows: Array = self.buffers[output.buffer].view(output.kind).reshape(images, -1)
        return rows

    def pointers(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Words:
        """Return where the program reads a run's inputs and writes its outputs, as `run_images` takes it.

        The array is this workspace's own, written anew by every call: one that is made costs more than a small layer.
        """
        rows = self._pointers
        places = [(x.ctypes.data, x.strides[0]) for x in inputs]
        for row, (number, first) in enumerate(self._sources):
            start, each = places[number]
            rows[row, 1], rows[row, 2] = start + first * each, each
        for row, made in enumerate(outputs, len(self._sources)):
            rows[row, 1], rows[row, 2] = made.ctypes.data, made.strides[0]
        return rows

    def _store(self, output: Output) -> Task:
        whole, size = self._rows(output), math.prod(output.shape)
        out = np.empty((len(whole), size), output.kind)  # every run writes its own address
        return task_of("qbench.kernels.elementwise.portable:copy_rows_f32", (whole, out, size), units=1)

    def _allocate(self) -> None:
        plan, free = self.plan, {}  # type: ignore[var-annotated]
        scratch = self.threads * max((step.scratch_bytes for step in plan.steps), default=0)
        self.buffers[SCRATCH] = aligned(scratch)
        self.size_bytes += scratch
        last: dict[str, int] = {}
        for i, step in enumerate(plan.steps):
            last.update(dict.fromkeys((*step.reads, *step.written), i))
        last.update((output.buffer, len(plan.steps)) for output in plan.outputs)
        for name in (name for step in plan.loads for name in step.written):
            self._take(name, free)
        for i, step in enumerate(plan.steps):
            for name in step.written:
                self._take(name, free)
            for name in dict.fromkeys(step.reads):
                if last[name] == i:
                    free.setdefault(self._key(name), []).append(self.buffers[name])

    def _key(self, name: str) -> tuple[Layout, float]:
        return self.plan.layouts[name], self.plan.fills.get(name, 0.0)

    def _take(self, name: str, free: dict[tuple[Layout, float], list[Buffer]]) -> None:
        if name in self.buffers:
            return
        layout, fill = self._key(name)
        waiting = free.get((layout, fill))
        if waiting:
            self.buffers[name] = waiting.pop()
            return
        buffer = aligned(layout.size_bytes)
        self.size_bytes += layout.size_bytes
        if fill:
            kind = {1: np.uint8, 4: np.float32}[layout.item_bytes]
            buffer.view(kind).reshape(layout.shape)[..., : layout.channels] = fill
        self.buffers[name] = buffer


def workspaces(plan: Plan, threads: int) -> list[Workspace]:
    """Return a workspace per thread; all threads may share the first one's tasks."""
    return [Workspace(plan, 1 if thread else threads) for thread in range(threads)]
