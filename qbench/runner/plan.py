"""What a run will do, before it does it: the trials in order, what is cached, where rows go, how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qbench.core.trial import TrialResult
from qbench.errors import MachineError, ResultsError, suggest
from qbench.kernels.variants import NAMES
from qbench.results import NetworkRun, read_run
from qbench.results.header import FILE_NAME, RunHeader, read_header
from qbench.runner.estimate import estimate_s
from qbench.runner.identity import trial_hash
from qbench.runner.machine.affinity import allowed_cpus
from qbench.runner.machine.environment import fingerprint
from qbench.runner.workbench import Workbench, layer_kinds
from qbench.suite import Planned, Suite, expand


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A suite expanded, with what earlier runs left of it.

    Args:
        suite: what is run.
        bench: its network and images.
        quick: whether times are taken roughly.
        planned: every trial in the order in which it is run: the fp32 row, accuracy, then times.
        hashes: trial key -> hash of what its row depends on.
        cached: trial key -> row of an earlier run that is still true.
        folder: the run that is continued, None when a new one is started.
        estimates_s: trial key -> rough seconds, for trials that will be run.
        remarks: why earlier runs were not continued.
    """

    suite: Suite
    bench: Workbench
    quick: bool
    planned: tuple[Planned, ...]
    hashes: Mapping[str, str]
    cached: Mapping[str, TrialResult]
    folder: Path | None
    estimates_s: Mapping[str, float]
    remarks: tuple[str, ...] = ()

    @property
    def new(self) -> tuple[Planned, ...]:
        """The trials that will be run, those that are skipped included."""
        return tuple(item for item in self.planned if item.trial.key not in self.cached)

    @property
    def skipped(self) -> tuple[Planned, ...]:
        """The trials that cannot be run, each with its reason."""
        return tuple(item for item in self.planned if item.reason)

    @property
    def estimate_s(self) -> float:
        """Rough seconds that the new trials will take."""
        return sum(self.estimates_s.values())


def plan_run(suite: Suite, results_root: Path, *, fresh: bool = False, quick: bool = False) -> Plan:
    """Return the plan of a suite whose runs lie in `results_root / suite.name`.

    The newest run of the same suite on the same machine is continued when it was not finished, or when all its rows
    still hold. A finished run of which some rows no longer hold lends the others to a new run, except those with times:
    what is compared must have been timed in one run.

    Raises:
        QBenchError: the model, the data or the suite's layers are not what they should be.
    """
    bench = Workbench(suite)
    planned = in_order(expand(suite, layer_kinds(bench.network)))
    refuse_impossible(planned, bench)
    model, data = bench.network.sha256, bench.data.sha256
    hashes = {
        item.trial.key: trial_hash(item, suite, model_sha256=model, data_sha256=data, quick=quick) for item in planned
    }
    folder, cached, remarks = (None, {}, []) if fresh else _earlier(suite, results_root, hashes, quick=quick)
    todo = [item for item in planned if item.trial.key not in cached]
    estimates = {item.trial.key: estimate_s(item, suite, bench, quick=quick) for item in todo}
    return Plan(suite, bench, quick, planned, hashes, cached, folder, estimates, tuple(remarks))


def refuse_impossible(planned: tuple[Planned, ...], bench: Workbench) -> None:
    """Raise QBenchError for too many samples or threads, or a kernel variant that there is not."""
    cores = len(allowed_cpus())
    if bench.threads > cores:
        raise MachineError(f"threads: expected 1..{cores} on this machine, got {bench.threads}")
    for item in planned:
        bench.data.calibration_indices(item.trial.calibration, item.trial.seed)
    for variant in {item.trial.variant for item in planned} - {"auto", *NAMES}:
        raise MachineError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")


def in_order(planned: tuple[Planned, ...]) -> tuple[Planned, ...]:
    """Return the trials as they are run: the baseline, then those without a clock, then those with one."""
    first, *rest = planned
    return (first, *sorted(rest, key=is_timed))


def is_timed(planned: Planned) -> bool:
    """Return whether the trial needs the machine for itself."""
    return bool(planned.trial.batch_sizes) and not planned.reason


def _earlier(
    suite: Suite, results_root: Path, hashes: Mapping[str, str], *, quick: bool
) -> tuple[Path | None, dict[str, TrialResult], list[str]]:
    """Return the folder to continue, the rows that still hold, and remarks."""
    remarks: list[str] = []
    for folder in run_folders(results_root / suite.name):
        try:
            header = read_header(folder)
        except ResultsError as error:
            remarks.append(f"not continued: {error}")
            continue
        reason = _why_other(header, suite, quick=quick)
        if reason:
            remarks.append(f"not continued: {folder.name}: {reason}")
            continue
        run = read_run(folder)
        held = holding(run, hashes)
        stale = len(hashes) - sum(hashes.get(row.trial.key) == row.cache_hash for row in run.results)
        if not header.finished or not stale:
            return folder, held, remarks
        remarks.append(f"{folder.name} is finished, but {stale} of its rows no longer hold")
        return None, {key: row for key, row in held.items() if not row.measurements}, remarks
    return None, {}, remarks


def run_folders(folder: Path) -> list[Path]:
    """Return the run folders of a suite, the newest first (their names begin with the time)."""
    if not folder.is_dir():
        return []
    return sorted((path.parent for path in folder.glob(f"*/{FILE_NAME}") if not path.parent.is_symlink()), reverse=True)


def holding(run: NetworkRun, hashes: Mapping[str, str]) -> dict[str, TrialResult]:
    """Return the rows of a run that depend on nothing that has changed; failed rows are tried again."""
    return {
        row.trial.key: row
        for row in run.results
        if row.status != "failed" and hashes.get(row.trial.key) == row.cache_hash
    }


def _why_other(header: RunHeader, suite: Suite, *, quick: bool) -> str:
    if header.suite_sha256 != suite.sha256:
        return "the suite has changed"
    if header.quick != quick:
        return "it was a quick run" if header.quick else "it was no quick run"
    return "" if header.environment.get("fingerprint") == fingerprint() else "it ran on another machine"
