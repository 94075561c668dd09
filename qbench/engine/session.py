"""Sessions: a plan, a workspace per thread, and nothing allocated while images run.

A batch is cut into micro-batches whose activations stay in the second-level cache; each thread runs the whole network
on its own share, so threads never wait for each other inside a pass. Where the shares would be too uneven (one image,
two threads) the threads share every layer instead and meet after it.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qbench.core.trial import Execution
from qbench.engine.kinds import has_tokens
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.plans.floats import float_layouts, float_plan
from qbench.engine.plans.integers import integer_plan
from qbench.engine.plans.plan import X_ADDRESS, Plan, workspaces
from qbench.engine.plans.stages import micro_batch
from qbench.engine.team import Job, Team
from qbench.errors import DataError, QBenchError
from qbench.graph.network import Network
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.program import run_task
from qbench.kernels.variants import choose

Floats = npt.NDArray[np.float32]

SHARING_COST = 1.25
"""How much longer a pass takes in all when threads share every layer: they meet after each."""


def shares_of(images: int, threads: int) -> list[tuple[int, int]] | None:
    """Return each thread's (first, last) images, or None where the threads should share every layer instead."""
    share = -(-images // threads)
    if threads > 1 and share * threads > SHARING_COST * images:
        return None
    return [(first, min(images, first + share)) for first in range(0, images, share)]


class Session:
    """A network ready to run on images (n, c, h, w), or on whatever numbers it takes for a text.

    It owns threads: close it, or use it in a `with`.

    Attributes:
        execution: what arithmetic runs: float32, integer, dequantized or simulated.
        execution_reason: why it is not integer, else what stays in float32 between integer layers, "" for nothing.
    """

    def __init__(
        self, network: Network, plan: Plan, *, threads: int, execution: Execution, reason: str = "",
        failures: list[QBenchError] | None = None, words: int = 0,
    ) -> None:  # fmt: skip
        self.network, self.plan, self.threads = network, plan, threads
        self._kind = np.dtype(network.dtypes.get(network.input, "float32"))
        self._words = words  # ids are below it, where ids are read
        self._failures = [] if failures is None else failures  # of operators that another library runs
        self.execution, self.execution_reason = execution, reason
        self._spaces = workspaces(plan, threads)
        self._jobs: list[Job | None] = [None] * threads
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
        """Arithmetic operations per image, two per multiply-add."""
        return sum(step.operations for step in self.plan.steps)

    @property
    def integer_share(self) -> float:
        """Share of the operations that run in integers."""
        return sum(step.operations for step in self.plan.steps if step.in_integers) / max(1, self.operations)

    def compile(self) -> None:
        """Run one image through every thread's steps, so that nothing compiles later."""
        blank = np.zeros((1, *self.network.input_shape), self._kind)
        self.run(blank)
        self.run(np.repeat(blank, self.threads, axis=0))

    def run(self, x: Floats) -> Floats:
        """Return logits float32 (n, classes) of images (n, c, h, w) or texts (n, tokens).

        Raises:
            DataError: they have another shape.
            ModelError: an operator that another library runs fails on them.

        Safe to call from several Python threads; runs of one session follow each other.
        """
        if not x.ndim or x.shape[1:] != self.network.input_shape:
            raise DataError(
                f"network '{self.network.name}': expected images (n, {self.network.input_shape}), got {x.shape}"
            )
        images = np.ascontiguousarray(x, self._kind)
        if self._words and len(images) and not (images.min() >= 0 and images.max() < self._words):
            found = f"{images.min()}..{images.max()}"
            raise DataError(f"network '{self.network.name}': expected ids of 0..{self._words - 1}, got {found}")
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
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failures:
            failure = self._failures[0]
            self._failures.clear()
            raise failure

    def _job(self, thread: int, images: Floats, logits: Floats, first: int, last: int) -> Job:
        """Return the job of these images: the last one again where they are the same."""
        space, job = self._spaces[thread], self._jobs[thread]
        pointers = space.pointers(images, logits)
        if job is None or (job.first, job.last) != (first, last):
            job = self._jobs[thread] = Job(space.program, pointers, first, last, self.plan.images)
        return job

    def profile(self, x: Floats, *, timer: Callable[[], float], repeats: int = 20) -> tuple[dict[str, Any], ...]:
        """Return a row per step: name, kind, operations and images of one call, its median seconds on one thread.

        Args:
            x: images; every step runs as many of them as it takes at a time.
            timer: returns seconds, the caller's clock.
            repeats: passes over the network.
        """
        space, steps = self._spaces[0], (self.plan.load, *self.plan.steps)
        counts = [min(len(x), size) for size in (self.plan.sizes[0], *self.plan.sizes)]
        times: list[list[float]] = [[] for _ in steps]
        self._load(np.ascontiguousarray(x[: counts[0]], self._kind))
        for _ in range(repeats):
            for samples, task, count in zip(times, space.tasks, counts, strict=True):
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
            for s, t, count in zip(steps, times, counts, strict=True)
        )

    def _load(self, x: Floats) -> None:
        """Convert a micro-batch of images and leave the first thread's program pointing at them."""
        space = self._spaces[0]
        self._loaded = x  # the program goes on reading it
        space.tasks[0].arguments[X_ADDRESS] = x.ctypes.data
        run_task(space.tasks[0], images=len(x))

    def close(self) -> None:
        """End the threads; doing so twice is no error."""
        self._team.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build_session(quantized: QuantizedNetwork, *, variant: str = "auto", threads: int = 2) -> Session:
    """Return the session of a quantized network: in integers where all of it can be, else simulated in float32.

    Args:
        quantized: the network, its codes and parameters.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.
    """
    chosen, network = choose(variant), quantized.network
    if has_tokens(network):
        return _token_session(quantized, variant=chosen, threads=threads)
    reason = ""
    if quantized.weights and quantized.activations:
        try:
            plan = integer_plan(quantized, variant=chosen)
            return Session(network, plan, threads=threads, execution="integer")
        except NotIntegerError as why:
            reason = str(why)
    execution = _execution(quantized)
    if execution == "dequantized":
        reason = "activations stay in float32"
    size = micro_batch([*float_layouts(network, 1).values()])
    plan = float_plan(quantized, images=size, variant=chosen)
    return Session(network, plan, threads=threads, execution=execution, reason=reason or "weights stay in float32")


def _execution(quantized: QuantizedNetwork) -> Execution:
    """Return what arithmetic a network runs in that is not all in integers."""
    return "simulated" if quantized.activations else "dequantized" if quantized.weights else "float32"


def _token_session(quantized: QuantizedNetwork, *, variant: str, threads: int) -> Session:
    """Return the session of a network over tokens: all quantized layers in integers, or all simulated in float32."""
    from qbench.engine.tokens.plan import token_plan  # brings onnx, 20 MB that other networks run without

    reason = "activations stay in float32" if quantized.weights else "weights stay in float32"
    if quantized.weights and quantized.activations:
        try:
            made = token_plan(quantized, variant=variant, integer=True)
        except NotIntegerError as why:
            reason = str(why)
        else:
            return Session(
                made.network, made.plan, threads=threads, execution="integer",
                reason=f"float32 between integer layers: {made.float_parts}", failures=made.failures, words=made.words,
            )  # fmt: skip
    execution = _execution(quantized)
    made = token_plan(quantized, variant=variant, integer=False)
    return Session(
        made.network,
        made.plan,
        threads=threads,
        execution=execution,
        reason=reason,
        failures=made.failures,
        words=made.words,
    )
