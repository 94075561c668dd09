"""A whole run of any kind: a plan, the rows that an executor makes of its jobs, tables.

Each finished row is one line on disk before the next begins, so that a kill loses the row in flight and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import qbench
from qbench.errors import MachineError
from qbench.results import MachineFacts, RunHeader, RunState, RunWriter, SuiteFacts, read_run, write_tables
from qbench.results.history.repository import head_of
from qbench.results.reader import Run
from qbench.runner.executor import Executor, Local
from qbench.runner.job import AnyTrial, Job
from qbench.runner.kind import run_kind
from qbench.runner.machine import environment, lock
from qbench.runner.machine.devices import DEVICES
from qbench.runner.observer import RunObserver, Silent
from qbench.runner.plan import Plan, plan_run
from qbench.runner.run_folder import new_run, point_to
from qbench.runner.timing.clock import Clock
from qbench.suite import AnySuite


def run_suite(
    suite: AnySuite,
    *,
    results_root: Path,
    quick: bool = False,
    fresh: bool = False,
    observer: RunObserver | None = None,
) -> Path:
    """Make every row of `suite` that no earlier run holds, and return the folder of the run.

    Args:
        suite: what is run.
        results_root: runs lie in `results_root / suite.name / <run-id>`.
        quick: time roughly (5 %, 0.3 s per cell).
        fresh: start a new run and take no row of an earlier one.
        observer: is told of every step.

    Raises:
        MachineError: the suite's device is not here, or the machine has fewer cores than the suite wants threads.
        ModelError: the fp32 baseline is wrong.
        ResultsError: rows cannot be written (the rows before are kept), or another process writes them.
        QBenchError: the suite's model, data or layers are not what they should be.
    """
    reason = DEVICES[suite.device].unavailable()
    if reason is not None:
        raise MachineError(reason)
    observer = observer or Silent()
    with lock.writing(results_root / suite.name):
        plan = plan_run(suite, results_root, fresh=fresh, quick=quick)
        observer.on_start(plan)
        with open_run(plan, results_root / suite.name) as writer, Local(plan) as executor:
            run_plan(plan, writer, executor, observer)
            return writer.folder


def run_plan(plan: Plan, writer: RunWriter, executor: Executor, observer: RunObserver) -> None:
    """Have an executor do what is left of a plan, write every row down, and close the run with its tables."""
    clock = Clock()
    start_s, before_s = clock.now_s(), writer.header.state.seconds
    report = _Report(writer, observer)

    def make(jobs: Iterable[Job]) -> None:
        for _, alike in groupby(jobs, key=lambda job: job.phase):
            with closing(executor.run(list(alike), report)) as rows:
                for done in rows:
                    result = replace(done.result, machine=done.machine)
                    writer.append(result)
                    observer.on_trial_end(result)

    make(plan.new)
    more = following(plan, read_run(writer.folder))
    if more:
        observer.on_more(more)
        make(more)
    spent_s = before_s + clock.now_s() - start_s if plan.new or not writer.header.state.finished else before_s
    writer.update_header(suite=_suite_facts(plan), state=RunState(seconds=spent_s))
    observer.on_phase("writing the tables")
    write_tables(read_run(writer.folder))
    writer.update_header(state=RunState(finished=True, seconds=spent_s))


def following(plan: Plan, run: Run[Any]) -> tuple[Job, ...]:
    """Return the jobs that only the rows of a run ask for, such as times of those that scored best."""
    held = {row.trial.key: row.cache_hash for row in run.results if row.status != "failed"}
    jobs = run_kind(plan.suite.kind).follow(plan, run)
    return tuple(job for job in jobs if held.get(job.trial.key) != job.cache_hash)


class _Report:
    """Writes down what an executor learns of machines, and passes on the rest."""

    def __init__(self, writer: RunWriter, observer: RunObserver) -> None:
        self._writer = writer
        self.phase, self._started = observer.on_phase, observer.on_trial_start

    def started(self, trial: AnyTrial) -> None:
        """Tell the observer which row begins."""
        self._started(trial)

    def known(self, machine: str) -> Mapping[str, Any]:
        """Return the facts of a machine that the run's header holds."""
        return self._writer.header.machines.get(machine, MachineFacts()).model_dump()

    def learned(self, machine: str, **facts: Any) -> None:
        """Write facts of a machine into the run's header."""
        found = {**self._writer.header.machines, machine: MachineFacts(**{**self.known(machine), **facts})}
        self._writer.update_header(machines=found)


def open_run(plan: Plan, folder: Path) -> RunWriter:
    """Continue the plan's run, or start a new one with the rows that still hold."""
    if plan.folder is not None:
        return RunWriter.open(plan.folder)
    writer = new_run(folder, plan.suite.sha256, lambda moment: header_of(plan, moment))
    for result in plan.cached.values():
        writer.append(result)
    point_to(writer.folder)
    return writer


def header_of(plan: Plan, moment: datetime) -> RunHeader:
    """Return the header of a run of a plan that begins at a moment (UTC)."""
    return RunHeader(
        kind=plan.suite.kind,
        device=plan.suite.device,
        qbench_version=qbench.__version__,
        command_line=environment.command_line(),
        commit=head_of(Path.cwd()),
        created_utc=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        suite=_suite_facts(plan),
        **plan.facts.of_run,
    )


def _suite_facts(plan: Plan) -> SuiteFacts:
    """Return what the suite asks; some of it may change without changing a row, e.g. its title."""
    suite = plan.suite
    return SuiteFacts(
        name=suite.name,
        title=suite.title,
        text=suite.text,
        sha256=suite.sha256,
        quick=plan.quick,
        threads=plan.facts.threads,
        **plan.facts.of_suite,
    )
