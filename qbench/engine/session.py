"""Sessions: a plan, a workspace a thread, and nothing allocated while images run.

A batch is cut into micro-batches whose activations stay in the second-level cache; each thread runs the whole network
on its own share, so threads never wait for each other inside a pass. Where the shares would be too uneven (one image,
two threads) the threads share every layer instead and meet after it.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams, QTensor
from qbench.core.trial import Execution
from qbench.engine.float_plan import float_layouts, float_plan, layer_step
from qbench.engine.integer_plan import containers, integer_layouts, integer_plan
from qbench.engine.lowering import NotIntegerError
from qbench.engine.plan import X_ADDRESS, Plan, Workspace
from qbench.engine.team import Job, Team
from qbench.errors import DataError
from qbench.graph.network import Conv, Network
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task
from qbench.kernels.variants import choose

Floats = npt.NDArray[np.float32]
Tap = Callable[[str, Floats], None]

CACHE_BYTES = 768 * 1024
"""Room for a micro-batch's activations: three quarters of a 1 MiB second-level cache; see docs/performance.md."""


SHARING_COST = 1.25
"""How much longer a pass takes in all when threads share every layer: they meet after each."""


def micro_batch(layouts: Mapping[str, Layout]) -> int:
    """Return the images a pass, 1..32, so that the three largest tensors (laid out for one image) fit `CACHE_BYTES`."""
    largest = sorted((layout.size_bytes for layout in layouts.values()), reverse=True)[:3]
    return int(np.clip(CACHE_BYTES // max(1, sum(largest)), 1, 32))


def shares_of(images: int, threads: int) -> list[tuple[int, int]] | None:
    """Return each thread's (first, last) images, or None where the threads should share every layer instead."""
    share = -(-images // threads)
    if threads > 1 and share * threads > SHARING_COST * images:
        return None
    return [(first, min(images, first + share)) for first in range(0, images, share)]


class Session:
    """A network ready to run on float32 images (n, c, h, w).

    Attributes:
        execution: what arithmetic runs: float32, integer, dequantized or simulated.
        execution_reason: why it is not integer, else "".
    """

    def __init__(self, network: Network, plan: Plan, *, threads: int, execution: Execution, reason: str = "") -> None:
        self.network, self.plan, self.threads = network, plan, threads
        self.execution, self.execution_reason = execution, reason
        self._spaces = [Workspace(plan) for _ in range(threads)]
        self._team = Team(threads)
        self._one_run = threading.Lock()  # Python threads may share a session: its buffers serve one run at a time
        self._classes = plan.layouts[plan.output].channels

    @property
    def kernels(self) -> dict[str, str]:
        """Layer name -> the kernel that runs it."""
        names = {layer.name for layer in self.network.layers}
        return {step.name: step.kind for step in self.plan.steps if step.name in names}

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights and parameters in the kernels' layout."""
        return sum(step.resident_bytes for step in self.plan.steps)

    @property
    def activation_bytes(self) -> int:
        """Bytes of activation buffers, all threads."""
        return sum(space.size_bytes for space in self._spaces)

    @property
    def operations(self) -> int:
        """Arithmetic operations an image, two a multiply-add."""
        return sum(step.operations for step in self.plan.steps)

    @property
    def integer_share(self) -> float:
        """Share of the operations that run in integers."""
        return sum(step.operations for step in self.plan.steps if step.in_integers) / max(1, self.operations)

    def compile(self) -> None:
        """Run one image through every thread's steps, so that nothing compiles later."""
        blank = np.zeros((1, *self.network.input_shape), np.float32)
        self.run(blank)
        self.run(np.repeat(blank, self.threads, axis=0))

    def run(self, x: Floats) -> Floats:
        """Return logits float32 (n, classes) of images float32 (n, c, h, w); raise DataError for any other shape.

        Safe to call from several Python threads; runs of one session follow each other.
        """
        if x.ndim != 4 or x.shape[1:] != self.network.input_shape:
            raise DataError(
                f"network '{self.network.name}': expected images (n, {self.network.input_shape}), got {x.shape}"
            )
        images = np.ascontiguousarray(x, np.float32)
        logits = np.empty((len(images), self._classes), np.float32)
        if len(images):
            with self._one_run:
                self._run(images, logits)
        return logits

    def _run(self, images: Floats, logits: Floats) -> None:
        """Run each thread's share, or all of it together."""
        shares = shares_of(len(images), self.threads)
        if shares is None:
            self._team.together(self._job(0, images, logits, 0, len(images)))
        else:
            self._team.apart([self._job(thread, images, logits, *ends) for thread, ends in enumerate(shares)])

    def _job(self, thread: int, images: Floats, logits: Floats, first: int, last: int) -> Job:
        space = self._spaces[thread]
        return Job(space.program, space.pointers(images, logits), first, last, self.plan.images)

    def profile(self, x: Floats, *, timer: Callable[[], float], repeats: int = 20) -> tuple[dict[str, Any], ...]:
        """Return a row a step: name, kind, operations and images of the micro-batch, median seconds on one thread.

        Args:
            x: images; the first micro-batch of them is run.
            timer: returns seconds, the caller's clock.
            repeats: passes over the network.
        """
        space, count = self._spaces[0], min(len(x), self.plan.images)
        steps = (self.plan.load, *self.plan.steps)
        times: list[list[float]] = [[] for _ in steps]
        self._load(np.ascontiguousarray(x[:count], np.float32))
        for _ in range(repeats):
            for samples, task in zip(times, space.tasks, strict=False):
                start = timer()
                run_task(task, images=count)
                samples.append(timer() - start)
        return tuple(
            {
                "name": s.name,
                "kind": s.kind,
                "operations": s.operations * count,
                "images": count,
                "median_s": statistics.median(t),
            }
            for s, t in zip(steps, times, strict=True)
        )

    def _load(self, x: Floats) -> None:
        """Convert a micro-batch of images and leave the first thread's program pointing at them."""
        space = self._spaces[0]
        self._loaded = x  # the program goes on reading it
        space.tasks[0].arguments[X_ADDRESS] = x.ctypes.data
        run_task(space.tasks[0], images=len(x))

    def close(self) -> None:
        """End the threads."""
        self._team.close()


def build_session(
    network: Network,
    weights: Mapping[str, QTensor],
    activations: Mapping[str, QParams],
    *,
    variant: str = "auto",
    threads: int = 2,
) -> Session:
    """Return the session of a quantized network: in integers where all of it can be, else simulated in float32.

    Args:
        network: from `qbench.graph.read_onnx`.
        weights: layer name -> quantized weights; layers that are missing keep float32 weights.
        activations: tensor name -> parameters; tensors that are missing stay float32.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.
    """
    chosen = choose(variant)
    reason = ""
    if weights and activations:
        try:
            size = micro_batch(integer_layouts(network, containers(network, activations), 1)[0])
            plan = integer_plan(network, weights, activations, images=size, variant=chosen)
            return Session(network, plan, threads=threads, execution="integer")
        except NotIntegerError as why:
            reason = str(why)
    execution: Execution = "simulated" if activations else "dequantized" if weights else "float32"
    if execution == "dequantized":
        reason = "activations stay in float32"
    size = micro_batch(float_layouts(network, 1))
    plan = float_plan(network, weights, activations, images=size, variant=chosen)
    return Session(network, plan, threads=threads, execution=execution, reason=reason or "weights stay in float32")


class FloatSession(Session):
    """The network in float32, which can show every tensor on the way (for calibration)."""

    def __init__(self, network: Network, *, threads: int = 2, variant: str = "auto") -> None:
        chosen = choose(variant)
        size = micro_batch(float_layouts(network, 1))
        super().__init__(
            network, float_plan(network, {}, {}, images=size, variant=chosen), threads=threads, execution="float32"
        )
        self._variant = chosen

    def run(self, x: Floats, *, tap: Tap | None = None) -> Floats:
        """Return logits; `tap` is called with every tensor but the output, as NHWC, a micro-batch at a time, in order.

        A convolution that adds a residual also shows its result before the addition, as `<name>:pre_add`.
        """
        if tap is None:
            return super().run(x)
        befores = self._before_additions()
        parts = [np.ascontiguousarray(x[i : i + self.plan.images]) for i in range(0, len(x), self.plan.images)]
        return np.concatenate([self._tapped(part, tap, befores) for part in parts])

    def _before_additions(self) -> dict[str, tuple[Task, Floats]]:
        """Return, for every convolution that adds a residual, the task that computes it without, and what it writes."""
        found: dict[str, tuple[Task, Floats]] = {}
        for node in self.network.nodes:
            if isinstance(node, Conv) and node.residual is not None:
                layout = self.plan.layouts[node.output]
                scratch = aligned(layout.size_bytes)
                step = layer_step(node, self.plan.layouts, None, self._variant, 0, plain=True)
                task = step.bind({**self._spaces[0].buffers, node.output: scratch})
                found[node.name] = (task, layout.interior(scratch.view(np.float32)))  # type: ignore[assignment]
        return found

    def _tapped(self, part: Floats, tap: Tap, befores: Mapping[str, tuple[Task, Floats]]) -> Floats:
        space, plan, count = self._spaces[0], self.plan, len(part)
        self._load(part)
        tap(plan.input, self._interior(plan.input, count))
        for step, task in zip(plan.steps, space.tasks[1:], strict=False):
            if step.name in befores:
                before, sums = befores[step.name]
                run_task(before, images=count)
                tap(f"{step.name}:pre_add", sums[:count])
            run_task(task, images=count)
            if step.writes != plan.output:
                tap(step.writes, self._interior(step.writes, count))
        return space.logits[:count].copy()

    def _interior(self, tensor: str, count: int) -> Floats:
        layout = self.plan.layouts[tensor]
        return layout.interior(self._spaces[0].buffers[tensor].view(np.float32))[:count]  # type: ignore[return-value]
