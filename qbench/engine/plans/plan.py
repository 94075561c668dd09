"""A plan: the steps of a network over named tensors, each with a layout. `Workspace` gives it memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qbench.engine.plans.stages import calls
from qbench.graph.network import Conv, Flatten, Network
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.program import program_of
from qbench.kernels.tasks import Task, Words, task_of

Buffer = npt.NDArray[np.uint8]
Buffers = Mapping[str, Buffer]
Bind = Callable[[Buffers], Task]
SCRATCH = ":scratch"
"""The buffer that steps share for what they keep only while they run."""
X_ADDRESS, LOGITS_ADDRESS = 1, 4
"""Index, in the first (last) task's arguments, of the pointer to the input images (output logits)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call; `bind` joins it to buffers.

    Args:
        name: the node that it computes.
        kind: what ran, e.g. `conv_u8_s8_u8/x86_vnni`.
        operations: arithmetic operations per image.
        reads: tensors.
        writes: tensor.
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


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps and layouts for passes of `images`.

    Args:
        images: the most images a pass takes.
        sizes: the most images that a call of each step takes; the step that loads takes the first one's (see `stages`).
        layouts: layout of every tensor that has memory of its own.
        fills: value of the border (and of every real channel before the first run), by tensor.
        aliases: tensor -> the tensor whose memory it shares.
        load: converts float32 images, NCHW, to the input's codes; its first array is the images.
        steps: in order.
        output: name of the tensor that holds the logits, float32.
    """

    images: int
    sizes: tuple[int, ...]
    layouts: dict[str, Layout]
    fills: dict[str, float]
    aliases: dict[str, str]
    load: Step
    steps: tuple[Step, ...]
    output: str
    input: str


def borders(network: Network) -> dict[str, tuple[int, int, int, int]]:
    """Return for every tensor the border that the paddings of the convolutions reading it need."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for node in network.nodes:
        if isinstance(node, Conv):
            old = found.get(node.input, (0, 0, 0, 0))
            found[node.input] = tuple(max(a, b) for a, b in zip(old, node.pads, strict=True))  # type: ignore[assignment]
    return found


def spatial(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (channels, height, width) of a tensor's shape without batch; vectors are 1 x 1 images."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


def flat_aliases(network: Network) -> dict[str, str]:
    """Return the flattened tensors that are their input's bytes: those of 1 x 1 images."""
    return {
        n.output: n.input
        for n in network.nodes
        if isinstance(n, Flatten) and spatial(network.shapes[n.input])[1:] == (1, 1)
    }


def load_step(kernel: str, name: str, tensor: str, layout: Layout, more: tuple[object, ...], *, kind: type) -> Step:
    """Return the step that writes a run's float32 images (n, c, h, w) into the input tensor by `kernel`."""
    size = (layout.channels, layout.height, layout.width)

    def bind(buffers: Buffers) -> Task:
        x = np.empty((layout.images, *size), np.float32)  # its shape is what counts: every run writes its own address
        whole: npt.NDArray[np.generic] = buffers[tensor].view(kind).reshape(layout.shape)
        return task_of(kernel, (x, whole, size, layout.border[:2], *more), units=layout.height)

    return Step(name, f"{kernel.split(':')[1]}/portable", 0, (), tensor, bind, kind is np.uint8)


@dataclass(slots=True)
class Workspace:
    """Memory for one thread: buffers that later tensors of equal layout and border reuse, and the program over them.

    `threads` may share its tasks: each has scratch of its own.
    """

    plan: Plan
    threads: int = 1
    buffers: dict[str, Buffer] = field(default_factory=dict)
    size_bytes: int = 0
    tasks: tuple[Task, ...] = field(init=False)
    program: Words = field(init=False)
    _firsts: tuple[int, ...] = field(init=False)
    _pointers: Words = field(init=False)
    _all: list[Task] = field(init=False)

    def __post_init__(self) -> None:
        self._allocate()
        plan, steps = self.plan, (self.plan.load, *self.plan.steps)
        sizes = (plan.sizes[0], *plan.sizes)
        order = list(calls(sizes))
        bound = [steps[step].bind(self._at(steps[step].writes, first, sizes[step])) for step, first in order]
        loads = [(task, first) for task, (step, first) in zip(bound, order, strict=True) if step == 0]
        self._firsts = tuple(first for _, first in loads)
        self._all = [*bound, self._store()]
        places = [(first, sizes[step]) for step, first in order]
        self.program = program_of(self._all, [*places, (0, plan.images)])
        ends = [(task, X_ADDRESS) for task, _ in loads] + [(self._all[-1], LOGITS_ADDRESS)]
        self._pointers = np.array([(task.arguments.ctypes.data + 8 * word, 0, 0) for task, word in ends], np.int64)
        self.tasks = tuple(task for task, (_, first) in zip(bound, order, strict=True) if first == 0)

    def _at(self, tensor: str, first: int, images: int) -> Buffers:
        """Return the buffers for a call that writes `tensor`, which may hold more images than the call takes."""
        layout = self.plan.layouts[tensor]
        if layout.images == images:
            return self.buffers
        each = layout.size_bytes // layout.images
        begin = first % layout.images * each
        return {**self.buffers, tensor: self.buffers[tensor][begin : begin + images * each]}

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """The logits of a pass, (images, classes)."""
        layout = self.plan.layouts[self.plan.output]
        return self.buffers[self.plan.output].view(np.float32).reshape(layout.images, -1)[:, : layout.channels]

    def pointers(self, x: npt.NDArray[np.float32], logits: npt.NDArray[np.float32]) -> Words:
        """Return where the program reads a run's images and writes its logits, as `run_images` takes it.

        The array is this workspace's own, written anew by every call: one that is made costs more than a small layer.
        """
        rows, start, each = self._pointers, x.ctypes.data, x.strides[0]
        for row, first in enumerate(self._firsts):
            rows[row, 1], rows[row, 2] = start + first * each, each
        rows[-1, 1], rows[-1, 2] = logits.ctypes.data, logits.strides[0]
        return rows

    def _store(self) -> Task:
        layout = self.plan.layouts[self.plan.output]
        whole = self.buffers[self.plan.output].view(np.float32).reshape(layout.images, -1)
        out = np.empty((layout.images, layout.channels), np.float32)  # every run writes its own address
        arguments = (whole, out, layout.channels)
        return task_of("qbench.kernels.elementwise.portable:copy_rows_f32", arguments, units=1)

    def _allocate(self) -> None:
        plan, free = self.plan, {}  # type: ignore[var-annotated]
        scratch = self.threads * max((step.scratch_bytes for step in plan.steps), default=0)
        self.buffers[SCRATCH] = aligned(scratch)
        self.size_bytes += scratch
        last: dict[str, int] = {}
        for i, step in enumerate(plan.steps):
            last.update({plan.aliases.get(t, t): i for t in (*step.reads, step.writes)})
        last[plan.aliases.get(plan.output, plan.output)] = len(plan.steps)
        self._take(plan.input, free)
        for i, step in enumerate(plan.steps):
            self._take(step.writes, free)
            for tensor in {plan.aliases.get(t, t) for t in step.reads}:
                if last[tensor] == i:
                    free.setdefault(self._key(tensor), []).append(self.buffers[tensor])
        for alias, owner in plan.aliases.items():
            if owner in self.buffers:
                self.buffers[alias] = self.buffers[owner]

    def _key(self, tensor: str) -> tuple[Layout, float]:
        return self.plan.layouts[tensor], self.plan.fills.get(tensor, 0.0)

    def _take(self, tensor: str, free: dict[tuple[Layout, float], list[Buffer]]) -> None:
        tensor = self.plan.aliases.get(tensor, tensor)
        if tensor in self.buffers:
            return
        layout, fill = self._key(tensor)
        waiting = free.get((layout, fill))
        if waiting:
            self.buffers[tensor] = waiting.pop()
            return
        buffer = aligned(layout.size_bytes)
        self.size_bytes += layout.size_bytes
        if fill:
            kind = {1: np.uint8, 4: np.float32}[layout.item_bytes]
            buffer.view(kind).reshape(layout.shape)[..., : layout.channels] = fill
        self.buffers[tensor] = buffer


def workspaces(plan: Plan, threads: int) -> list[Workspace]:
    """Return a workspace per thread; all threads may share the first one's tasks."""
    return [Workspace(plan, 1 if thread else threads) for thread in range(threads)]
