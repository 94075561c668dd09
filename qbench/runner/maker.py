"""Who makes the rows of one kind on one device of this machine, and how steady and how fast that device is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from qbench.runner.job import AnyResult, Job
from qbench.runner.kind import run_kind
from qbench.runner.machine import ceilings
from qbench.runner.machine.canary import Canary, is_unstable
from qbench.runner.timing.clock import Clock

if TYPE_CHECKING:
    from qbench.runner.plan import Plan

Tell = Callable[[str], None]
Reading = dict[str, Any]


class Maker(Protocol):
    """Makes rows, one after the other."""

    rows_a_reading: int
    """Timed rows between two readings of the device's steadiness."""

    def check(self, tell: Tell, known: Mapping[str, Any]) -> dict[str, Any]:
        """Check, once in a run, what must hold before any row is made.

        Args:
            tell: hears what is being done.
            known: what is known of the machine, by an earlier part of the run too.

        Returns:
            What to add to that.

        Raises:
            QBenchError: no row of this run would mean anything.
        """
        ...

    def ceilings(self) -> dict[str, float]:
        """Measure what the device can do at most."""
        ...

    def reading(self, when: str) -> Reading:
        """Read what tells whether the device is steady."""
        ...

    def is_unstable(self, readings: Sequence[Reading]) -> bool:
        """Return whether the device was not steady."""
        ...

    def make(self, job: Job, ceilings: Mapping[str, float]) -> AnyResult:
        """Return the row of a job, whatever happens in it."""
        ...

    def close(self) -> None:
        """Let go of processes and buffers."""
        ...


class CpuMaker:
    """What makers on the CPU share: measured ceilings, and the canary's two loops."""

    rows_a_reading = 1

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan, self._clock = plan, clock
        self._canary: Canary | None = None

    def ceilings(self) -> dict[str, float]:
        """Measure what this machine can do at most, on the threads of the run."""
        return ceilings.measure(self._plan.facts.threads, quick=self._plan.quick)

    def reading(self, when: str) -> Reading:
        """Time the canary's loops."""
        self._canary = self._canary or Canary(self._clock)
        return self._canary.read(when).as_dict()

    def is_unstable(self, readings: Sequence[Reading]) -> bool:
        """Return whether the canary's loops moved."""
        return is_unstable(readings)

    def close(self) -> None:
        """Hold nothing."""


def open_maker(plan: Plan) -> Maker:
    """Return who makes the rows of a plan on this machine."""
    module, _, name = run_kind(plan.suite.kind).makers[plan.suite.device].partition(":")
    found: Maker = getattr(importlib.import_module(module), name)(plan)
    return found
