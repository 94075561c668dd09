"""Sessions: a plan, a workspace a thread, and nothing allocated while images run.

A batch is cut into micro-batches whose activations stay in the second-level cache; each thread runs the whole network
on its own share, so threads never wait for each other inside a pass.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QParams, QTensor
from qbench.core.trial import Execution
from qbench.engine.float_plan import float_layouts, float_plan, layer_step
from qbench.engine.integer_plan import containers, integer_layouts, integer_plan
from qbench.engine.lowering import NotIntegerError
from qbench.engine.plan import Plan, Run, Workspace
from qbench.errors import DataError
from qbench.graph.network import Conv, Network
from qbench.kernels.layout import Layout, aligned
from qbench.kernels.variants import choose

Floats = npt.NDArray[np.float32]
Tap = Callable[[str, Floats], None]

CACHE_BYTES = 768 * 1024
"""Room for a micro-batch's activations: three quarters of a 1 MiB second-level cache; see docs/performance.md."""


def micro_batch(layouts: Mapping[str, Layout]) -> int:
    """Return the images a pass, 1..32, so that the three largest tensors (laid out for one image) fit `CACHE_BYTES`."""
    largest = sorted((layout.size_bytes for layout in layouts.values()), reverse=True)[:3]
    return int(np.clip(CACHE_BYTES // max(1, sum(largest)), 1, 32))


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
        self._pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="qbench") if threads > 1 else None
        self._one_run = threading.Lock()  # Python threads may share a session: its buffers serve one run at a time
        layout = plan.layouts[plan.output]
        self._classes = layout.channels
        self._logits = [
            space.buffers[plan.output].view(np.float32).reshape(layout.images, -1) for space in self._spaces
        ]

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
        for space in self._spaces:
            space.load(blank)
            for run in space.runs:
                run(1)

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
        share = -(-len(images) // self.threads)
        parts = [(i, i * share, min(len(images), (i + 1) * share)) for i in range(self.threads)]
        parts = [part for part in parts if part[1] < part[2]]
        with self._one_run:
            if parts:
                self._shares(images, logits, parts)
        return logits

    def _shares(self, images: Floats, logits: Floats, parts: list[tuple[int, int, int]]) -> None:
        """Run every thread's share, the first one here."""
        waiting = [self._pool.submit(self._pass, images, logits, *part) for part in parts[1:]] if self._pool else []
        self._pass(images, logits, *parts[0])
        for future in waiting:
            future.result()

    def _pass(self, images: Floats, logits: Floats, thread: int, start: int, stop: int) -> None:
        space, out = self._spaces[thread], self._logits[thread]
        for first in range(start, stop, self.plan.images):
            part = images[first : min(stop, first + self.plan.images)]
            count = len(part)
            space.load(part)
            for run in space.runs:
                run(count)
            logits[first : first + count] = out[:count, : self._classes]

    def profile(self, x: Floats, *, timer: Callable[[], float], repeats: int = 20) -> tuple[dict[str, Any], ...]:
        """Return a row a step: name, kind, operations and images of the micro-batch, median seconds on one thread.

        Args:
            x: images; the first micro-batch of them is run.
            timer: returns seconds, the caller's clock.
            repeats: passes over the network.
        """
        space, count = self._spaces[0], min(len(x), self.plan.images)
        times: list[list[float]] = [[] for _ in space.runs]
        space.load(np.ascontiguousarray(x[:count], np.float32))
        for _ in range(repeats):
            for samples, run in zip(times, space.runs, strict=True):
                start = timer()
                run(count)
                samples.append(timer() - start)
        return tuple(
            {
                "name": s.name,
                "kind": s.kind,
                "operations": s.operations * count,
                "images": count,
                "median_s": statistics.median(t),
            }
            for s, t in zip(self.plan.steps, times, strict=True)
        )

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()


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

    def _before_additions(self) -> dict[str, tuple[Run, Floats]]:
        """Return, for every convolution that adds a residual, a call that computes it without, and where it writes."""
        found: dict[str, tuple[Run, Floats]] = {}
        for node in self.network.nodes:
            if isinstance(node, Conv) and node.residual is not None:
                layout = self.plan.layouts[node.output]
                scratch = aligned(layout.size_bytes)
                step = layer_step(node, self.plan.layouts, None, self._variant, 0, plain=True)
                run = step.bind({**self._spaces[0].buffers, node.output: scratch})
                found[node.name] = (run, layout.interior(scratch.view(np.float32)))  # type: ignore[assignment]
        return found

    def _tapped(self, part: Floats, tap: Tap, befores: Mapping[str, tuple[Run, Floats]]) -> Floats:
        space, plan, count = self._spaces[0], self.plan, len(part)
        space.load(part)
        tap(plan.input, self._interior(plan.input, count))
        for step, run in zip(plan.steps, space.runs, strict=True):
            if step.name in befores:
                before, sums = befores[step.name]
                before(count)
                tap(f"{step.name}:pre_add", sums[:count])
            run(count)
            if step.writes != plan.output:
                tap(step.writes, self._interior(step.writes, count))
        return self._logits[0][:count, : self._classes].copy()

    def _interior(self, tensor: str, count: int) -> Floats:
        layout = self.plan.layouts[tensor]
        return layout.interior(self._spaces[0].buffers[tensor].view(np.float32))[:count]  # type: ignore[return-value]
