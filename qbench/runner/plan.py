"""What a run will do, before it does it: the jobs in order, what is cached, where rows go, how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qbench.errors import MachineError, ResultsError
from qbench.results import read_run
from qbench.results.header import FILE_NAME, RunHeader, read_header
from qbench.runner.job import AnyResult, Job
from qbench.runner.kind import PlanFacts, run_kind
from qbench.runner.machine.affinity import allowed_cpus
from qbench.runner.machine.devices import DEVICES
from qbench.suite import AnySuite


@dataclass(frozen=True, eq=False)
class Plan:
    """A suite expanded, with what earlier runs left of it.

    Args:
        suite: what is run.
        world: what all its rows share, e.g. a workbench with network and images.
        quick: whether times are taken roughly.
        jobs: every row in the order in which it is made, e.g. the fp32 row, accuracy, then times.
        cached: trial key -> row of an earlier run that is still true.
        folder: the run that is continued, None when a new one is started.
        remarks: why earlier runs were not continued, and what is suspicious about the input.
    """

    suite: AnySuite
    world: Any
    quick: bool
    jobs: tuple[Job, ...]
    cached: Mapping[str, AnyResult]
    folder: Path | None
    remarks: tuple[str, ...] = ()

    @property
    def new(self) -> tuple[Job, ...]:
        """The rows that will be made, those that are skipped included."""
        return tuple(job for job in self.jobs if job.trial.key not in self.cached)

    @property
    def skipped(self) -> tuple[Job, ...]:
        """The rows that cannot be made, each with its reason."""
        return tuple(job for job in self.jobs if job.reason)

    @property
    def estimate_s(self) -> float:
        """Rough seconds that the new rows will take."""
        return sum(job.estimate_s for job in self.new)

    @cached_property
    def facts(self) -> PlanFacts:
        """What `run.json` says of this kind of plan."""
        return run_kind(self.suite.kind).facts(self)


def plan_run(suite: AnySuite, results_root: Path, *, fresh: bool = False, quick: bool = False) -> Plan:
    """Return the plan of a suite whose runs lie in `results_root / suite.name`.

    The newest run of the same suite on the same machine is continued when it was not finished, or when all its rows
    still hold. A finished run of which some rows no longer hold lends the others to a new run, except those with times:
    what is compared must have been timed in one run.

    Raises:
        QBenchError: the model, the data or the suite's layers are not what they should be.
        SuiteError: the suite's filter leaves no row.
    """
    kind, machine = run_kind(suite.kind), DEVICES[suite.device].identity()
    world = kind.world(suite)
    jobs = kind.jobs(suite, world, machine, quick)
    told = kind.remarks(world)
    if fresh:
        return Plan(suite, world, quick, jobs, {}, None, told)
    hashes = {job.trial.key: job.cache_hash for job in jobs}
    folder, cached, remarks = _earlier(suite, results_root, hashes, machine, quick=quick)
    return Plan(suite, world, quick, jobs, cached, folder, (*remarks, *told))


def refuse_threads(threads: int) -> None:
    """Raise MachineError for more threads than this process has CPUs."""
    cores = len(allowed_cpus())
    if threads > cores:
        raise MachineError(f"threads: expected 1..{cores} on this machine, got {threads}")


def _earlier(
    suite: AnySuite, results_root: Path, hashes: Mapping[str, str], machine: str, *, quick: bool
) -> tuple[Path | None, dict[str, AnyResult], list[str]]:
    """Return the folder to continue, the rows that still hold, and remarks."""
    remarks: list[str] = []
    for folder in run_folders(results_root / suite.name):
        try:
            header = read_header(folder)
        except ResultsError as error:
            remarks.append(f"not continued: {error}")
            continue
        reason = _why_other(header, suite, machine, quick=quick)
        if reason:
            remarks.append(f"not continued: {folder.name}: {reason}")
            continue
        rows: tuple[AnyResult, ...] = read_run(folder).results
        true = [row for row in rows if hashes.get(row.trial.key) == row.cache_hash]
        held = {row.trial.key: row for row in true if row.status != "failed"}  # failed rows are tried again
        stale = len(hashes) - len(true)
        if not header.state.finished or not stale:
            return folder, held, remarks
        remarks.append(f"{folder.name} is finished, but {stale} of its rows no longer hold")
        return None, {key: row for key, row in held.items() if not row.measurements}, remarks
    return None, {}, remarks


def run_folders(folder: Path) -> list[Path]:
    """Return the run folders of a suite, the newest first (their names begin with the time)."""
    if not folder.is_dir():
        return []
    return sorted((path.parent for path in folder.glob(f"*/{FILE_NAME}") if not path.parent.is_symlink()), reverse=True)


def _why_other(header: RunHeader, suite: AnySuite, machine: str, *, quick: bool) -> str:
    if header.suite.sha256 != suite.sha256:
        return "the suite has changed"
    if header.suite.quick != quick:
        return "it was a quick run" if header.suite.quick else "it was no quick run"
    return "" if machine in header.machines else "it ran on another machine"
