"""The network in float32, which can show every tensor on the way: what calibration runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.several import Inputs, arrays_of
from qbench.core.tensor import QParams
from qbench.engine.kinds import shown
from qbench.engine.plans.network import plan_network
from qbench.engine.session import Session
from qbench.engine.team import Job
from qbench.engine.watched import PRE_ADD, Bare, Watched
from qbench.graph.network import Network
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.observe.reference import Seen
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task
from qbench.kernels.variants import choose

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
Tap = Callable[[str, Floats], None]
_AT_ONCE = 1024
"""Samples that are brought into a session's own form at a time."""


class FloatSession(Session):
    """The network in float32, which can show every tensor on the way (for calibration)."""

    def __init__(
        self, network: Network, *, threads: int = 2, variant: str = "auto",
        activations: Mapping[str, QParams] | None = None,
    ) -> None:  # fmt: skip
        """Plan a network in float32, these tensors rounded in float32 where there are any."""
        self._variant = chosen = choose(variant)
        quantized = QuantizedNetwork(network, activations=activations or {})
        planned = plan_network(quantized, variant=chosen, integer=False)
        super().__init__(planned, threads=threads, execution="float32")
        self._shown = shown(planned.network)

    def run(self, *inputs: Array, tap: Tap | None = None) -> Array:
        """Return what `Session.run` does; `tap` is called with tensors as NHWC, a micro-batch at a time, in order.

        Those are the tensors that can be quantized: what enters a layer, and of images also what is added, pooled and
        so on. A convolution that adds a residual also shows its result before the addition, as `<name>:pre_add`.
        """
        if tap is None:
            return super().run(*inputs)
        arrays, befores = self._checked(inputs), self._before_additions()
        size, count = self.plan.images, len(arrays[0])
        parts = [[array[i : i + size] for array in arrays] for i in range(0, count, size)]
        made = np.concatenate([self._tapped(part, tap, befores) for part in parts])
        return made.reshape(made.shape[:2]) if made.ndim == 4 and made.shape[2:] == (1, 1) else made

    def tensor(self, x: Inputs, name: str) -> Iterator[Floats]:
        """Yield one tensor as NHWC, a micro-batch at a time, computing nothing behind it.

        Args:
            x: images, texts, or an array for each input.
            name: of a tensor that `run` shows; nothing is yielded of any other.
        """
        if name not in self._shown:
            return
        space, steps = self._spaces[0], (*self.plan.loads, *self.plan.steps)
        last = next((place for place, step in reversed([*enumerate(steps)]) if name in step.written), -1)
        if last < 0:
            return
        arrays = self._checked(arrays_of(x))
        for start in range(0, len(arrays[0]), self.plan.images):
            part = [array[start : start + self.plan.images] for array in arrays]
            self._load(part)
            for task in space.tasks[len(part) : last + 1]:
                run_task(task, images=len(part[0]))
            self._raise_failure()
            yield self._interior(name, len(part[0]))

    def observe(self, x: Inputs) -> dict[str, list[Seen]]:
        """Return what is seen of every tensor that `run` shows: a part for each thread, in one compiled pass.

        Args:
            x: images, texts, or an array for each input.
        """
        bare = Bare(self.network, self.plan, self._variant)
        watched = [Watched(space, bare, shown=self._shown, most=len(x)) for space in self._spaces]
        for start in range(0, len(x), _AT_ONCE):
            arrays = self._checked(arrays_of(x[start : start + _AT_ONCE]))
            count, jobs = len(arrays[0]), list[Job]()
            share = -(-count // self.threads)
            for one, space, first in zip(watched, self._spaces, range(0, count, share), strict=False):
                ends = (first, min(count, first + share))
                jobs.append(Job(one.program, space.pointers(arrays, ()), *ends, self.plan.images))
            self._team.apart(jobs)
            self._raise_failure()
        return {name: [one.watches[name].seen() for one in watched] for name in watched[0].watches}

    def _before_additions(self) -> dict[str, tuple[Task, Floats]]:
        """Return, for every convolution that adds a residual, the task that computes it without, and what it writes."""
        found: dict[str, tuple[Task, Floats]] = {}
        bare, buffers = Bare(self.network, self.plan, self._variant), self._spaces[0].buffers
        for step in self.plan.steps:
            if step.name in bare:
                output, aside = bare.output(step.name), bare.aside(step.name, buffers)
                sums = self.plan.layouts[output].interior(aside[output].view(np.float32))
                found[step.name] = (bare.step(step.name).bind(aside), sums)  # type: ignore[assignment]
        return found

    def _tapped(self, part: Sequence[Array], tap: Tap, befores: Mapping[str, tuple[Task, Floats]]) -> Floats:
        space, plan, count = self._spaces[0], self.plan, len(part[0])
        self._load(part)
        for load in plan.loads:
            if load.writes in self._shown:
                tap(load.writes, self._interior(load.writes, count))
        for step, task in zip(plan.steps, space.tasks[len(plan.loads) :], strict=True):
            if step.name in befores:
                before, sums = befores[step.name]
                run_task(before, images=count)
                tap(f"{step.name}{PRE_ADD}", sums[:count])
            run_task(task, images=count)
            for tensor in self._shown.intersection(step.written):
                tap(tensor, self._interior(tensor, count))
        self._raise_failure()
        made: Floats = space.output(self._answer)[:count].copy()
        return made

    def _interior(self, tensor: str, count: int) -> Floats:
        layout = self.plan.layouts[tensor]
        return layout.interior(self._spaces[0].buffers[tensor].view(np.float32))[:count]  # type: ignore[return-value]
