"""Makes rows of kernels on the CPU: every party in a process of its own, all of them in turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.runner.job import Job
from qbench.runner.kernels.trial import Machine, Parties, run_kernel
from qbench.runner.machine import environment
from qbench.runner.maker import CpuMaker, Tell
from qbench.runner.plan import Plan
from qbench.runner.timing.clock import PartyClock
from qbench.runner.timing.rules import timing_rules
from qbench.suite import KernelSuite


class KernelMaker(CpuMaker):
    """Runs cells; the processes of the parties live as long as it does."""

    rows_a_reading = 8

    def __init__(self, plan: Plan) -> None:
        self._party_clock, self._parties = PartyClock(), Parties()
        super().__init__(plan, self._party_clock)
        assert isinstance(plan.suite, KernelSuite)
        self._rules = timing_rules(plan.suite, quick=plan.quick)

    def check(self, tell: Tell, known: Mapping[str, Any]) -> dict[str, Any]:
        """Check nothing: every row is checked against its own law."""
        return {}

    def make(self, job: Job, ceilings: Mapping[str, float]) -> KernelResult:
        """Return the row of a cell."""
        assert isinstance(job.trial, KernelTrial)
        machine = Machine(ceilings, environment.core_caches())
        return run_kernel(
            job.trial, self._parties, machine, cache_hash=job.cache_hash, rules=self._rules, clock=self._party_clock
        )

    def close(self) -> None:
        """End the processes of the parties."""
        self._parties.close()
