"""What a run of kernels will do, before it does it: the rows, which of an earlier run still hold, and how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qbench.core.cells.algorithm import split_algorithm
from qbench.core.cells.result import STREAMS, KernelResult, KernelTrial
from qbench.errors import MachineError, ResultsError, suggest
from qbench.kernels.variants import NAMES
from qbench.results import read_run
from qbench.results.header import RunHeader, read_header
from qbench.runner.identity import sources_hash
from qbench.runner.machine.affinity import allowed_cpus
from qbench.runner.machine.environment import fingerprint
from qbench.runner.plan import run_folders
from qbench.runner.timing.rules import QUICK_PRECISION, QUICK_SECONDS
from qbench.runner.timing.sampling import Rules
from qbench.suite import KernelSuite, expand_kernels

LIBRARIES = (
    "ai-edge-litert", "onnxruntime", "openvino", "torch", "zentorch", "onednn-cpu-gomp", "numkong", "xllamacpp",
)  # fmt: skip
_OVERHEAD_S = 1.0
"""Drawing operands, preparing and checking all parties of a row."""
_MEMORY_OVERHEAD_S = 5.0
"""The same of a memory operation, whose tensors are large."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelPlan:
    """A kernel suite expanded, with what an earlier run left of it.

    Args:
        suite: what is run.
        quick: whether times are taken roughly.
        trials: every row in order.
        hashes: trial key -> hash of what its row depends on.
        cached: trial key -> row of the run that is continued.
        folder: the run that is continued, None when a new one is started.
    """

    suite: KernelSuite
    quick: bool
    trials: tuple[KernelTrial, ...]
    hashes: Mapping[str, str]
    cached: Mapping[str, KernelResult]
    folder: Path | None

    @property
    def rules(self) -> Rules:
        """How long and how precisely cells are timed."""
        timing = self.suite.timing
        if not self.quick:
            return Rules(precision=timing.precision, seconds_a_cell=timing.seconds_a_cell)
        return Rules(
            precision=max(timing.precision, QUICK_PRECISION), seconds_a_cell=min(timing.seconds_a_cell, QUICK_SECONDS)
        )

    @property
    def new(self) -> tuple[KernelTrial, ...]:
        """The rows that will be measured."""
        return tuple(trial for trial in self.trials if trial.key not in self.cached)

    @property
    def estimate_s(self) -> float:
        """Rough seconds that the new rows will take."""
        return sum(self.trial_s(trial) for trial in self.new)

    def trial_s(self, trial: KernelTrial) -> float:
        """Return the rough seconds of a row: half of the other libraries have a kernel, half of the time is needed."""
        if trial.kind == "memory":
            return _MEMORY_OVERHEAD_S + 0.5 * self.rules.seconds_a_cell * (1 + len(STREAMS))
        return _OVERHEAD_S + 0.5 * self.rules.seconds_a_cell * (2 + len(trial.own) + 0.5 * len(trial.peers))


def plan_kernels(suite: KernelSuite, results_root: Path, *, fresh: bool = False, quick: bool = False) -> KernelPlan:
    """Return the plan of a kernel suite whose runs lie in `results_root / suite.name`.

    The newest run of the same suite on the same machine is continued unless it is finished and some of its rows no
    longer hold: what is compared must have been timed in one run.

    Raises:
        MachineError: more threads than cores, or an unknown kernel variant.
        SuiteError: the suite's filter leaves no row.
    """
    trials = expand_kernels(suite)
    cores = len(allowed_cpus())
    most = max(trial.cell.threads for trial in trials)
    if most > cores:
        raise MachineError(f"threads: expected 1..{cores} on this machine, got {most}")
    for variant in {split_algorithm(trial.variant)[0] for trial in trials} - {"auto", *NAMES}:
        raise MachineError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")
    hashes = {trial.key: _hash(trial, suite, quick=quick) for trial in trials}
    folder, cached = (None, {}) if fresh else _earlier(suite, results_root, hashes, quick=quick)
    return KernelPlan(suite, quick, trials, hashes, cached, folder)


def library_versions() -> dict[str, str]:
    """Return the version of every peer that is installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _hash(trial: KernelTrial, suite: KernelSuite, *, quick: bool) -> str:
    """Return the hash of everything that a row depends on, 16 hexadecimal digits."""
    facts = {
        "trial": asdict(trial),
        "timing": suite.timing.model_dump(mode="json"),
        "quick": quick,
        "machine": fingerprint(),
        "sources": sources_hash(),
        "libraries": library_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _earlier(
    suite: KernelSuite, results_root: Path, hashes: Mapping[str, str], *, quick: bool
) -> tuple[Path | None, dict[str, KernelResult]]:
    """Return the folder to continue and its rows that still hold; failed rows are tried again."""
    for folder in run_folders(results_root / suite.name):
        try:
            header = read_header(folder)
        except ResultsError:  # a damaged run is not continued
            continue
        if not _is_same(header, suite, quick=quick):
            continue
        rows = read_run(folder).results
        held = {row.trial.key: row for row in rows if hashes.get(row.trial.key) == row.cache_hash}
        if header.finished and len(held) < len(hashes):
            return None, {}
        return folder, {key: row for key, row in held.items() if row.status != "failed"}
    return None, {}


def _is_same(header: RunHeader, suite: KernelSuite, *, quick: bool) -> bool:
    same = header.kind == "kernels" and header.suite_sha256 == suite.sha256 and header.quick == quick
    return same and header.environment.get("fingerprint") == fingerprint()
