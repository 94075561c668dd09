"""A whole run: baseline, accuracy trials, ceilings and canary, timed trials alone on the machine, tables.

Each finished trial is one line on disk before the next begins, so that a kill loses the trial in flight and no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import qbench
from qbench.results import DataFacts, ModelFacts, RunHeader, RunWriter, read_run
from qbench.results.tables import write_tables
from qbench.runner.baseline import check_declared, check_runtimes
from qbench.runner.machine import ceilings, environment, lock
from qbench.runner.machine.canary import Canary, is_unstable
from qbench.runner.observer import RunObserver, Silent
from qbench.runner.plan import Plan, is_timed, plan_run
from qbench.runner.run_folder import new_run, point_to
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import network_operations
from qbench.runner.timing.rules import timing_rules
from qbench.runner.trial import run_trial
from qbench.suite import Planned, Suite


def run_suite(
    suite: Suite,
    *,
    results_root: Path,
    quick: bool = False,
    fresh: bool = False,
    observer: RunObserver | None = None,
) -> Path:
    """Run every trial of `suite` that no earlier run holds, and return the folder of the run.

    Args:
        suite: what to run.
        results_root: runs lie in `results_root / suite.name / <run-id>`.
        quick: time roughly (5 %, 0.3 s per cell).
        fresh: start a new run and take no row of an earlier one.
        observer: is told of every step.

    Raises:
        ModelError: the fp32 baseline is wrong.
        ResultsError: rows cannot be written (the rows before are kept), or another process writes them.
        QBenchError: the suite's model, data or layers are not what they should be.
    """
    observer = observer or Silent()
    with lock.writing(results_root / suite.name):
        plan = plan_run(suite, results_root, fresh=fresh, quick=quick)
        observer.on_start(plan)
        with _open(plan, results_root / suite.name) as writer:
            _Experiment(plan, writer, observer).run()
            return writer.folder


class _Experiment:
    """One run in progress."""

    def __init__(self, plan: Plan, writer: RunWriter, observer: RunObserver) -> None:
        self._plan, self._writer, self._observer = plan, writer, observer
        self._clock = Clock()
        self._rules = timing_rules(plan.suite, quick=plan.quick)
        self._canary: Canary | None = None

    def run(self) -> None:
        """Do what is left to do, and close the run."""
        start_s, before_s = self._clock.now_s(), self._writer.header.seconds
        new = self._plan.new
        if not new and self._writer.header.finished:
            write_tables(read_run(self._writer.folder))
            return
        if new:
            self._check_baseline()
        for timed, items in groupby(new, key=is_timed):
            if timed:
                with lock.timing(on_wait=self._waiting):
                    self._run_timed(list(items))
            else:
                with lock.working(on_wait=self._waiting):
                    for item in items:
                        self._run_one(item)
        self._observer.on_phase("writing the tables")
        self._writer.update_header(seconds=before_s + self._clock.now_s() - start_s)
        write_tables(read_run(self._writer.folder))
        self._writer.update_header(finished=True, seconds=before_s + self._clock.now_s() - start_s)

    def _check_baseline(self) -> None:
        self._observer.on_phase("checking the fp32 baseline")
        bench = self._plan.bench
        with lock.working(on_wait=self._waiting):
            check_runtimes(bench.answers, bench.own_logits)
        remark = check_declared(
            bench.answers, bench.network.metadata, data=bench.data.name, whole=bench.uses_all_images
        )
        self._observer.on_phase(remark)

    def _run_timed(self, timed: Sequence[Planned]) -> None:
        if not self._writer.header.ceilings:
            self._observer.on_phase("measuring what this machine can do")
            found = ceilings.measure(self._plan.suite.threads, quick=self._plan.quick)
            self._writer.update_header(ceilings=found)
        self._read_canary("before")
        for item in timed:
            self._run_one(item)
            self._read_canary(item.trial.key)

    def _run_one(self, item: Planned) -> None:
        self._observer.on_trial_start(item.trial)
        result = run_trial(
            item, self._plan.bench, cache_hash=self._plan.hashes[item.trial.key], rules=self._rules, clock=self._clock
        )
        self._writer.append(result)
        self._observer.on_trial_end(result)

    def _read_canary(self, when: str) -> None:
        self._canary = self._canary or Canary(self._clock)
        readings = [*self._writer.header.canary, self._canary.read(when).as_dict()]
        self._writer.update_header(canary=readings, unstable=is_unstable(readings))

    def _waiting(self) -> None:
        self._observer.on_phase("waiting for another qbench on this machine: times are taken alone")


def _open(plan: Plan, folder: Path) -> RunWriter:
    """Continue the plan's run, or start a new one with the rows that still hold."""
    if plan.folder is not None:
        return RunWriter.open(plan.folder)
    writer = new_run(folder, plan.suite.sha256, lambda moment: _header(plan, moment))
    for result in plan.cached.values():
        writer.append(result)
    point_to(writer.folder)
    return writer


def _header(plan: Plan, moment: datetime) -> RunHeader:
    suite, bench = plan.suite, plan.bench
    network, data = bench.network, bench.data
    facts: dict[str, Any] = environment.describe()
    return RunHeader(
        qbench_version=qbench.__version__,
        suite_name=suite.name,
        suite_title=suite.title,
        suite_text=suite.text,
        suite_sha256=suite.sha256,
        command_line=environment.command_line(),
        created_utc=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        model=ModelFacts(
            name=network.name,
            sha256=network.sha256,
            layers=tuple(layer.name for layer in network.layers),
            weights=sum(math.prod(layer.weight.shape) for layer in network.layers),
            operations=network_operations(network),
            declared=network.metadata,
        ),
        data=DataFacts(
            name=data.name,
            sha256=data.sha256,
            images=min(suite.data_limit or len(data), len(data)),
            classes=data.classes,
            calibration_images=len(data.calibration),
        ),
        threads=suite.threads,
        target_keep=suite.target.keep,
        quick=plan.quick,
        environment=facts,
        versions=environment.versions(),
    )
