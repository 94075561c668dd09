"""Suites of kernels, in the table of kinds: their jobs, and their bars with the rows that each is about."""

from __future__ import annotations

from itertools import product

from qbench.core.cells.algorithm import split_algorithm
from qbench.core.cells.result import STREAMS, KernelTrial
from qbench.errors import MachineError, suggest
from qbench.kernels.variants import NAMES
from qbench.results.header import KernelBar
from qbench.runner.identity import kernel_hash
from qbench.runner.job import Job
from qbench.runner.kind import PlanFacts, RunKind
from qbench.runner.plan import Plan, refuse_threads
from qbench.runner.timing.rules import timing_rules
from qbench.suite import KernelSuite, expand_kernels
from qbench.suite.kernels.filter import parse_kernel_filter

_OVERHEAD_S = 1.0
"""Drawing operands, preparing and checking all parties of a row."""
_MEMORY_OVERHEAD_S = 5.0
"""The same of a memory operation, whose tensors are large."""


def kernel_jobs(suite: KernelSuite, _world: None, machine: str, quick: bool) -> tuple[Job, ...]:
    """Return the jobs in the order of the suite.

    Raises:
        MachineError: more threads than cores, or an unknown kernel variant.
        SuiteError: the suite's filter leaves no row.
    """
    trials = expand_kernels(suite)
    refuse_threads(max(trial.cell.threads for trial in trials))
    known = ("auto", *NAMES) if suite.device == "cpu" else None  # a GPU's are asked for by job, in the worker
    for variant in sorted({split_algorithm(trial.variant)[0] for trial in trials}):
        if known is not None and variant not in known:
            raise MachineError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")
    seconds = timing_rules(suite, quick=quick).seconds_a_cell
    return tuple(
        Job("time", trial, kernel_hash(trial, suite, machine=machine, quick=quick), estimate_s=_trial_s(trial, seconds))
        for trial in trials
    )


def _trial_s(trial: KernelTrial, seconds_a_cell: float) -> float:
    """Return the rough seconds of a row: half of the other libraries have a kernel, half of the time is needed."""
    if trial.kind == "memory":
        return _MEMORY_OVERHEAD_S + 0.5 * seconds_a_cell * (1 + len(STREAMS))
    return _OVERHEAD_S + 0.5 * seconds_a_cell * (2 + len(trial.own) + 0.5 * len(trial.peers))


def kernel_facts(plan: Plan) -> PlanFacts:
    """Return what `run.json` says of the suite: its most threads, and its bars."""
    trials = [job.trial for job in plan.jobs if isinstance(job.trial, KernelTrial)]
    assert isinstance(plan.suite, KernelSuite)
    return PlanFacts(max(trial.cell.threads for trial in trials), {"bars": kernel_bars(plan.suite, trials)})


def kernel_bars(suite: KernelSuite, trials: list[KernelTrial]) -> tuple[KernelBar, ...]:
    """Return the suite's bars with the keys of the rows that each is about, those on one thread and on more apart."""
    found = []
    for bar, threads in product(suite.bars, sorted({trial.cell.threads for trial in trials})):
        holds = parse_kernel_filter(bar.where)
        keys = tuple(trial.key for trial in trials if trial.cell.threads == threads and holds(trial))
        if keys:
            found.append(KernelBar(**bar.model_dump(exclude={"where"}), threads=threads, keys=keys))
    return tuple(found)


def _nothing(_suite: KernelSuite) -> None:
    """Rows of kernels share nothing."""


KERNELS = RunKind(
    _nothing,
    kernel_jobs,
    kernel_facts,
    {"cpu": "qbench.runner.kernels.maker:KernelMaker", "cuda": "qbench.runner.cuda.kernels:CudaKernelMaker"},
)
