"""Makes rows of kernels on the first GPU: every kernel checked on odd sizes first, then row after row."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.errors import QBenchError
from qbench.kernels.cuda.checks import verify
from qbench.runner.cuda.maker import CudaMaker, device_rules
from qbench.runner.cuda.worker import Setup, Worker
from qbench.runner.job import Job
from qbench.runner.maker import Tell
from qbench.runner.plan import Plan
from qbench.suite import KernelSuite

CHECKS = "cuda_checks"
"""Where a machine's facts hold what the checks of all kernels found."""

CHECKERS = 6
"""Processes that check kernels side by side."""


class CudaKernelMaker(CudaMaker):
    """Runs cells."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        assert isinstance(plan.suite, KernelSuite)
        self._verify, self._rules = plan.suite.verify, device_rules(plan.suite, quick=plan.quick)

    def check(self, tell: Tell, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row for every kernel; one that breaks the device is reported like one that is wrong."""
        if not self._verify or CHECKS in known:
            return {}
        count = verify.count()
        shares = [range(first, count, CHECKERS) for first in range(CHECKERS)]
        with ThreadPoolExecutor(CHECKERS) as pool:
            parts = pool.map(lambda numbers: _check_some(numbers, tell), shares)
            found = {number: row for part in parts for number, row in part}
        return {CHECKS: [found[number] for number in range(count)]}

    def make(self, job: Job, ceilings: Mapping[str, float]) -> KernelResult:
        """Return the row of a cell; where the device was lost, why."""
        trial = job.trial
        assert isinstance(trial, KernelTrial)
        try:
            found = self._worker.ask("row", (Setup(self._rules, dict(ceilings)), trial, job.cache_hash))
        except QBenchError as error:
            return KernelResult(trial, job.cache_hash, "failed", str(error), operations=trial.cell.problem.operations)
        assert isinstance(found, KernelResult)
        return found


def _check_some(numbers: range, tell: Tell) -> list[tuple[int, dict[str, str | int]]]:
    """Check some kernels in a process of their own: the host compiles most of the time."""
    rows: list[tuple[int, dict[str, str | int]]] = []
    with Worker() as worker:
        for number in numbers:
            name = verify.name_of(number)
            tell(f"checking {name} ({number + 1} of {verify.count()})")
            try:
                row = asdict(worker.ask("check", number))
            except QBenchError as error:
                row = {"operation": name, "variant": "cuda", "comparisons": 0, "detail": str(error)}
            rows.append((number, row))
            if row["detail"]:
                tell(f"wrong: {name} by {row['variant']}: {row['detail']}")
    return rows
