"""A whole run of a kernel suite: ceilings, then row after row alone on the machine, canary between, tables at the end.

Each finished row is one line on disk before the next begins, so that a kill loses the row in flight and no more.
"""

from __future__ import annotations

from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Protocol

import qbench
from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.results import RunHeader, RunWriter, read_run
from qbench.results.header import KernelBar
from qbench.results.tables import write_tables
from qbench.runner.kernels.party import PartyClock
from qbench.runner.kernels.plan import KernelPlan, library_versions, plan_kernels
from qbench.runner.kernels.trial import Machine, Parties, run_kernel
from qbench.runner.machine import ceilings, environment, lock
from qbench.runner.machine.canary import Canary, is_unstable
from qbench.runner.run_folder import new_run, point_to
from qbench.suite import KernelSuite
from qbench.suite.kernels.filter import parse_kernel_filter

_ROWS_A_CANARY = 8


class KernelObserver(Protocol):
    """Is told of every step of a run of kernels, in order."""

    def on_plan(self, plan: KernelPlan) -> None:
        """Hear what will be measured."""

    def on_phase(self, text: str) -> None:
        """Hear what is being done outside of rows."""

    def on_kernel_start(self, trial: KernelTrial) -> None:
        """Hear which row begins."""

    def on_kernel_end(self, result: KernelResult) -> None:
        """Hear what came of it."""


def run_kernels(
    suite: KernelSuite, *, results_root: Path, observer: KernelObserver, quick: bool = False, fresh: bool = False
) -> Path:
    """Measure every row of `suite` that no earlier run holds, and return the folder of the run.

    Raises:
        MachineError: this machine has fewer cores than the suite wants threads.
        ResultsError: rows cannot be written, or another process writes them.
    """
    with lock.writing(results_root / suite.name):
        plan = plan_kernels(suite, results_root, fresh=fresh, quick=quick)
        observer.on_plan(plan)
        with _open(plan, results_root / suite.name) as writer:
            _Experiment(plan, writer, observer).run()
            return writer.folder


class _Experiment:
    """One run in progress."""

    def __init__(self, plan: KernelPlan, writer: RunWriter, observer: KernelObserver) -> None:
        self._plan, self._writer, self._observer = plan, writer, observer
        self._clock = PartyClock()
        self._canary = Canary(self._clock)

    def run(self) -> None:
        """Do what is left to do, and close the run."""
        start_s, before_s = self._clock.now_s(), self._writer.header.seconds
        if self._plan.new:
            with lock.timing(on_wait=self._waiting):
                self._measure()
        spent_s = before_s + self._clock.now_s() - start_s if self._plan.new else before_s
        self._writer.update_header(finished=True, seconds=spent_s, bars=kernel_bars(self._plan))
        write_tables(read_run(self._writer.folder))

    def _measure(self) -> None:
        if not self._writer.header.ceilings:
            self._observer.on_phase("measuring what this machine can do")
            found = ceilings.measure(self._writer.header.threads, quick=self._plan.quick)
            self._writer.update_header(ceilings=found)
        machine = Machine(self._writer.header.ceilings, environment.core_caches())
        self._read_canary("before")
        parties = Parties()
        try:
            for number, trial in enumerate(self._plan.new, start=1):
                self._observer.on_kernel_start(trial)
                result = run_kernel(
                    trial,
                    parties,
                    machine,
                    cache_hash=self._plan.hashes[trial.key],
                    rules=self._plan.rules,
                    clock=self._clock,
                )
                self._writer.append(result)
                self._observer.on_kernel_end(result)
                if number % _ROWS_A_CANARY == 0 or number == len(self._plan.new):
                    self._read_canary(trial.key)
        finally:
            parties.close()

    def _read_canary(self, when: str) -> None:
        readings = [*self._writer.header.canary, self._canary.read(when).as_dict()]
        self._writer.update_header(canary=readings, unstable=is_unstable(readings))

    def _waiting(self) -> None:
        self._observer.on_phase("waiting for another qbench on this machine: times are taken alone")


def kernel_bars(plan: KernelPlan) -> list[KernelBar]:
    """Return the suite's bars with the keys of the rows that each is about, those on one thread and on more apart."""
    found = []
    for bar, threads in product(plan.suite.bars, sorted({trial.cell.threads for trial in plan.trials})):
        holds = parse_kernel_filter(bar.where)
        keys = tuple(trial.key for trial in plan.trials if trial.cell.threads == threads and holds(trial))
        if keys:
            found.append(KernelBar(**bar.model_dump(exclude={"where"}), threads=threads, keys=keys))
    return found


def _open(plan: KernelPlan, folder: Path) -> RunWriter:
    """Continue the plan's run, or start a new one."""
    if plan.folder is not None:
        return RunWriter.open(plan.folder)
    writer = new_run(folder, plan.suite.sha256, lambda moment: _header(plan, moment))
    point_to(writer.folder)
    return writer


def _header(plan: KernelPlan, moment: datetime) -> RunHeader:
    suite = plan.suite
    return RunHeader(
        kind="kernels",
        qbench_version=qbench.__version__,
        suite_name=suite.name,
        suite_title=suite.title,
        suite_text=suite.text,
        suite_sha256=suite.sha256,
        command_line=environment.command_line(),
        created_utc=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        threads=max(trial.cell.threads for trial in plan.trials),
        quick=plan.quick,
        environment=environment.describe(),
        versions=environment.versions() | library_versions(),
    )
