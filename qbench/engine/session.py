"""Sessions: a plan, a workspace per thread, and nothing allocated while images run.

A batch is cut into micro-batches whose activations stay in the second-level cache; each thread runs the whole network
on its own share, so threads never wait for each other inside a pass. Where the shares would be too uneven (one image,
two threads) the threads share every layer instead and meet after it.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qbench.core.accumulator import Accumulator
from qbench.core.several import Inputs, arrays_of
from qbench.core.trial import ON_INTEGERS, Execution
from qbench.engine.plans.network import Planned, plan_network
from qbench.engine.plans.plan import X_ADDRESS, workspaces
from qbench.engine.team import Job, Team
from qbench.errors import DataError
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.program import run_task
from qbench.kernels.variants import choose

Array = npt.NDArray[Any]
SHARING_COST = 1.25
"""How much longer a pass takes in all when threads share every layer: they meet after each."""


def shares_of(images: int, threads: int) -> list[tuple[int, int]] | None:
    """Return each thread's (first, last) images, or None where the threads should share every layer instead."""
    share = -(-images // threads)
    if threads > 1 and share * threads > SHARING_COST * images:
        return None
    return [(first, min(images, first + share)) for first in range(0, images, share)]


class Session:
    """A network ready to run on arrays with the batch first: images (n, c, h, w), texts, whatever it takes.

    It owns threads: close it, or use it in a `with`.

    Attributes:
        variant: of its float steps.
        execution: what arithmetic runs: float32, integer, mixed, dequantized or simulated.
        execution_reason: why it is not integer, else what stays in float32 between integer layers, "" for nothing.
        reasons: layer -> why it does not run in integers.
    """

    def __init__(
        self, planned: Planned, *, threads: int, execution: Execution, reason: str = "", variant: str = "auto"
    ) -> None:  # fmt: skip
        network, plan = planned.network, planned.plan
        self.network, self.plan, self.threads, self.variant = network, plan, threads, variant
        self.reasons = planned.reasons
        self._wanted = [
            (network.shapes[name], np.dtype(network.dtypes.get(name, "float32"))) for name in network.inputs
        ]
        self._made = [(output.shape, np.dtype(output.kind)) for output in plan.outputs]
        self._answer = network.outputs.index(network.answer)
        self._words = planned.words  # ids are below it, where ids are read
        self._failures = planned.failures  # of operators that another library runs
        self.execution, self.execution_reason = execution, reason
        self._spaces = workspaces(plan, threads)
        self._jobs: list[Job | None] = [None] * threads
        self._team = Team(threads)
        self._one_run = threading.Lock()  # Python threads may share a session: its buffers serve one run at a time

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
        for count in (1, self.threads):
            self.run(*(np.zeros((count, *shape), kind) for shape, kind in self._wanted))

    def run(self, *inputs: Array) -> Array:
        """Return what is scored of images (n, c, h, w), texts (n, tokens), or whatever the inputs are.

        That is the network's output, of several `Network.answer`.

        Args:
            inputs: one array for each input of the network, in its order, the batch first.

        Returns:
            Logits float32 (n, classes), also where the file has (n, classes, 1, 1); else (n, ...) as in the file.

        Raises:
            DataError: they have another shape.
            ModelError: an operator that another library runs fails on them.

        Safe to call from several Python threads; runs of one session follow each other.
        """
        made = self.run_all(*inputs)[self._answer]
        return made.reshape(made.shape[:2]) if made.ndim == 4 and made.shape[2:] == (1, 1) else made

    def run_all(self, *inputs: Array) -> tuple[Array, ...]:
        """Return every output, in the network's order and shapes, the batch first; see `run`."""
        arrays = self._checked(inputs)
        count = len(arrays[0])
        made = tuple([np.empty((count, *shape), kind) for shape, kind in self._made])
        if count:
            with self._one_run:
                self._run(arrays, made)
        return made

    def _checked(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the inputs as the plan takes them; raise DataError where they are not what the network wants."""
        if len(inputs) != len(self._wanted):
            raise self._refused(f"expected {', '.join(self.network.inputs)}, got {len(inputs)} arrays")
        arrays: list[Array] = []
        for x, (shape, kind) in zip(inputs, self._wanted, strict=True):
            if not isinstance(x, np.ndarray) or x.shape[1:] != shape or not x.ndim or len(x) != len(inputs[0]):
                raise self._misfit(inputs, len(arrays))
            arrays.append(np.ascontiguousarray(x, kind))
        if self._words and len(arrays[0]):
            low, high = arrays[0].min(), arrays[0].max()
            if low < 0 or high >= self._words:
                raise self._refused(f"expected ids of 0..{self._words - 1}, got {low}..{high}")
        return arrays

    def _misfit(self, inputs: Sequence[object], place: int) -> DataError:
        """Return the error that says what an input should be and what came."""
        name, x, alone = self.network.inputs[place], inputs[place], len(inputs) == 1
        found = x.shape if isinstance(x, np.ndarray) else type(x).__name__
        return self._refused(f"expected {'images' if alone else repr(name)} (n, {self._wanted[place][0]}), got {found}")

    def _refused(self, why: str) -> DataError:
        return DataError(f"network '{self.network.name}': {why}")

    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run each thread's share, or all of it together."""
        count = len(inputs[0])
        shares = shares_of(count, self.threads)
        if shares is None:
            self._team.together(self._job(0, inputs, outputs, 0, count))
        else:
            self._team.apart([self._job(thread, inputs, outputs, *ends) for thread, ends in enumerate(shares)])
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failures:
            failure = self._failures[0]
            self._failures.clear()
            raise failure

    def _job(self, thread: int, inputs: Sequence[Array], outputs: Sequence[Array], first: int, last: int) -> Job:
        """Return the job of these images: the last one again where they are the same."""
        space, job = self._spaces[thread], self._jobs[thread]
        pointers = space.pointers(inputs, outputs)
        if job is None or (job.first, job.last) != (first, last):
            job = self._jobs[thread] = Job(space.program, pointers, first, last, self.plan.images)
        return job

    def profile(self, x: Inputs, *, timer: Callable[[], float], repeats: int = 20) -> tuple[dict[str, Any], ...]:
        """Return a row per step: name, kind, operations and images of one call, its median seconds on one thread.

        Args:
            x: inputs; every step runs as many of them as it takes at a time.
            timer: returns seconds, the caller's clock.
            repeats: passes over the network.
        """
        arrays = self._checked(arrays_of(x))
        space, loads, plan = self._spaces[0], len(self.plan.loads), self.plan
        steps, sizes = (*plan.loads, *plan.steps), (*plan.sizes[:1] * loads, *plan.sizes)
        counts = [min(len(arrays[0]), size) for size in sizes]
        times: list[list[float]] = [[] for _ in steps]
        self._load([array[: counts[0]] for array in arrays])
        for _ in range(repeats):
            for samples, task, count in zip(times, space.tasks, counts, strict=True):
                start = timer()
                run_task(task, images=count)
                samples.append(timer() - start)
        self._raise_failure()
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

    def _load(self, inputs: Sequence[Array]) -> None:
        """Convert a micro-batch of images and leave the first thread's program pointing at them."""
        self._loaded = inputs  # the program goes on reading them
        for task, x in zip(self._spaces[0].tasks, inputs, strict=False):
            task.arguments[X_ADDRESS] = x.ctypes.data
            run_task(task, images=len(x))

    def close(self) -> None:
        """End the threads; doing so twice is no error."""
        self._team.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build_session(
    quantized: QuantizedNetwork, *, variant: str = "auto", threads: int = 2, floats: str = "",
    accumulator: Accumulator | None = None,
) -> Session:  # fmt: skip
    """Return the session of a quantized network: integers wherever there are codes, float32 beside.

    Args:
        quantized: the network, its codes and parameters.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.
        floats: kernel variant of float layers, where it is to be another.
        accumulator: of integer layers where a narrower one is simulated, on plain loops.
    """
    chosen = choose(variant)
    planned = plan_network(quantized, variant=chosen, floats=floats and choose(floats), accumulator=accumulator)
    execution, reason = _execution(planned, quantized)
    if accumulator is not None and execution in ON_INTEGERS:
        reason = f"sums of {accumulator.bits} bits that {accumulator.overflow}, on plain loops" + (
            f"; {reason}" if reason else ""
        )
        execution = "simulated"
    return Session(planned, threads=threads, execution=execution, reason=reason, variant=floats or chosen)


def _execution(planned: Planned, quantized: QuantizedNetwork) -> tuple[Execution, str]:
    """Return what arithmetic runs, and why it is not integers alone."""
    parts, reasons = planned.float_parts, dict.fromkeys(planned.reasons.values())
    if planned.integer:
        between = f"float32 between integer layers: {parts}" if parts else ""
        beside = "; ".join(words for words in (planned.multiplied_elsewhere, between) if words)
        if not planned.reasons:
            return "integer", beside
        why = f"{len(planned.reasons)} layers in float32: {next(iter(reasons))}"
        return "mixed", f"{why}; {beside}" if beside else why
    if not quantized.activations:
        what = "activations stay in float32" if quantized.weights else "weights stay in float32"
        return ("dequantized" if quantized.weights else "float32"), what
    return "simulated", next(iter(reasons), "") if quantized.weights else "weights stay in float32"
