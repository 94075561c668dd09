"""A whole run on one GPU: every kernel checked, ceilings, then row after row; each finished row is one line on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import qbench
from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.errors import QBenchError
from qbench.kernels.cuda.checks import verify
from qbench.results import RunHeader, RunWriter, read_run
from qbench.results.header import KernelBar
from qbench.results.tables import write_tables
from qbench.runner.cuda import health
from qbench.runner.cuda.suite import CudaNetwork, CudaSuite
from qbench.runner.cuda.worker import Setup, Worker
from qbench.runner.identity import sources_hash
from qbench.runner.machine import environment, lock
from qbench.runner.run_folder import new_run, point_to
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.rules import QUICK_PRECISION, QUICK_SECONDS
from qbench.runner.timing.sampling import Rules
from qbench.suite import expand_kernels
from qbench.suite.kernels.filter import parse_kernel_filter

LIBRARIES = ("numba", "numba-cuda", "torch", "triton", "nvidia-cublas", "numpy")
SAMPLE_S = 0.002
"""Least length of a sample on the device, whose events tick every half microsecond."""

CHECKERS = 6
"""Processes that check kernels side by side."""

ROWS_A_READING = 8
"""The vendor's tool takes most of a second to answer."""

Told = Callable[[str], None]
Finished = Callable[[KernelResult], None]


def run_cuda(suite: CudaSuite, *, results_root: Path, tell: Told, finished: Finished, quick: bool = False) -> Path:
    """Check and measure every row of `suite` on the first GPU, and return the folder of the run.

    Args:
        suite: what is run.
        results_root: folder of all results; the run lies in `results_root / suite.name`.
        tell: hears what is being done.
        finished: hears every row.
        quick: whether times are taken roughly.

    Raises:
        QBenchError: there is no GPU here.
    """
    trials = expand_kernels(suite)
    with lock.writing(results_root / suite.name), Worker() as worker:
        facts = worker.ask("facts")
        writer = new_run(results_root / suite.name, suite.sha256, lambda moment: _header(suite, facts, moment, quick))
        point_to(writer.folder)
        with writer, lock.timing(on_wait=lambda: tell("waiting for another qbench on this machine")):
            _Run(suite, worker, writer, tell, finished, quick=quick).measure(trials)
        write_tables(read_run(writer.folder))
        return writer.folder


class _Run:
    """One run in progress."""

    def __init__(
        self, suite: CudaSuite, worker: Worker, writer: RunWriter, tell: Told, finished: Finished, *, quick: bool
    ) -> None:
        self._suite, self._worker, self._writer, self._quick = suite, worker, writer, quick
        self._tell, self._finished = tell, finished

    def measure(self, trials: tuple[KernelTrial, ...]) -> None:
        """Check the kernels, measure the ceilings and every row, and close the run."""
        clock, worker, writer = Clock(), self._worker, self._writer
        start_s = clock.now_s()
        if self._suite.verify:
            found = writer.header.environment | {"cuda_checks": self._checked()}
            writer.update_header(environment=found)
        self._tell("measuring what this device can do")
        writer.update_header(ceilings=worker.ask("ceilings", self._quick))
        setup = Setup(_rules(self._suite, quick=self._quick), writer.header.ceilings)
        readings = [health.read("before")]
        for number, trial in enumerate(trials, start=1):
            self._tell(trial.key)
            result = self._row(setup, trial)
            writer.append(result)
            self._finished(result)
            if number % ROWS_A_READING == 0 or number == len(trials):
                readings.append(health.read(trial.key))
        networks = [self._network(setup, asked) for asked in self._suite.networks]
        writer.update_header(environment=writer.header.environment | {"cuda_networks": networks})
        writer.update_header(
            canary=readings, unstable=health.throttled(readings), finished=True, seconds=clock.now_s() - start_s,
            bars=bars_of(self._suite, trials),
        )  # fmt: skip

    def _checked(self) -> list[dict[str, str | int]]:
        """Return a row for every kernel; one that breaks the device is told like one that is wrong."""
        count = verify.count()
        shares = [range(first, count, CHECKERS) for first in range(CHECKERS)]
        with ThreadPoolExecutor(CHECKERS) as pool:
            found = {number: row for part in pool.map(self._check_some, shares) for number, row in part}
        return [found[number] for number in range(count)]

    def _check_some(self, numbers: range) -> list[tuple[int, dict[str, str | int]]]:
        """Check some kernels in a process of their own: the host compiles most of the time."""
        rows: list[tuple[int, dict[str, str | int]]] = []
        with Worker() as worker:
            for number in numbers:
                name = verify.name_of(number)
                self._tell(f"checking {name} ({number + 1} of {verify.count()})")
                try:
                    row = asdict(worker.ask("check", number))
                except QBenchError as error:
                    row = {"operation": name, "variant": "cuda", "comparisons": 0, "detail": str(error)}
                rows.append((number, row))
                if row["detail"]:
                    self._tell(f"wrong: {name} by {row['variant']}: {row['detail']}")
        return rows

    def _network(self, setup: Setup, asked: CudaNetwork) -> dict[str, Any]:
        """Return a network's facts and times, or why there are none."""
        self._tell(f"{asked.model} {asked.spec}, {asked.batch} images at a time")
        try:
            found: dict[str, Any] = self._worker.ask("network", (setup.rules, asked))
        except QBenchError as error:
            found = {"model": asked.model, "spec": asked.spec, "batch": asked.batch, "reason": str(error)}
        return found

    def _row(self, setup: Setup, trial: KernelTrial) -> KernelResult:
        digest = _hash(trial, self._suite)
        try:
            found = self._worker.ask("row", (setup, trial, digest))
        except QBenchError as error:
            return KernelResult(trial, digest, "failed", str(error), operations=trial.cell.problem.operations)
        assert isinstance(found, KernelResult)
        return found


def bars_of(suite: CudaSuite, trials: tuple[KernelTrial, ...]) -> tuple[KernelBar, ...]:
    """Return the suite's bars with the keys of the rows that each is about."""
    found = []
    for bar in suite.bars:
        holds = parse_kernel_filter(bar.where)
        keys = tuple(trial.key for trial in trials if holds(trial))
        if keys:
            found.append(KernelBar(**bar.model_dump(exclude={"where"}), threads=1, keys=keys))
    return tuple(found)


def _rules(suite: CudaSuite, *, quick: bool) -> Rules:
    timing = suite.timing
    if not quick:
        return Rules(precision=timing.precision, seconds_a_cell=timing.seconds_a_cell, sample_s=SAMPLE_S)
    return Rules(
        precision=max(timing.precision, QUICK_PRECISION),
        seconds_a_cell=min(timing.seconds_a_cell, QUICK_SECONDS),
        sample_s=SAMPLE_S,
    )


def _hash(trial: KernelTrial, suite: CudaSuite) -> str:
    facts = {"trial": asdict(trial), "timing": suite.timing.model_dump(mode="json"), "sources": sources_hash()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _header(suite: CudaSuite, facts: Mapping[str, Any], moment: datetime, quick: bool) -> RunHeader:
    return RunHeader(
        kind="kernels",
        qbench_version=qbench.__version__,
        suite_name=suite.name,
        suite_title=suite.title,
        suite_text=suite.text,
        suite_sha256=suite.sha256,
        command_line=environment.command_line(),
        created_utc=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        threads=1,
        quick=quick,
        environment=environment.describe() | {"cuda": dict(facts)},
        versions=environment.versions() | _versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
