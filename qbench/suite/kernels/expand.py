"""Kernel suite -> rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from qbench.core.cells.memory import MemoryCell, MemoryProblem
from qbench.core.cells.product import KernelCell, Problem
from qbench.core.cells.result import AnyCell, KernelTrial
from qbench.errors import QBenchError, SuiteError
from qbench.suite.kernels.filter import parse_kernel_filter
from qbench.suite.kernels.schema import KernelSuite, KernelSweep
from qbench.suite.kernels.shapes import parse_shape, table


def expand_kernels(suite: KernelSuite) -> tuple[KernelTrial, ...]:
    """Return the rows of `suite` in order, each key once; raise SuiteError when the filter leaves none."""
    keep = parse_kernel_filter(suite.filter) if suite.filter else None
    found: dict[str, KernelTrial] = {}
    for sweep in suite.sweeps:
        for trial in _sweep(suite, sweep):
            if keep is None or keep(trial):
                found.setdefault(trial.key, trial)
    if not found:
        raise SuiteError(f"suite '{suite.name}': no row is left by the filter '{suite.filter}'")
    return tuple(found.values())


def _sweep(suite: KernelSuite, sweep: KernelSweep) -> Iterator[KernelTrial]:
    peers = suite.peers if sweep.peers is None else sweep.peers
    axes = product(sweep.spec, sweep.out, suite.threads_of(sweep), sweep.variant)
    for (spec, out, threads, variant), (batch, problem, networks) in product(list(axes), _problems(sweep)):
        if isinstance(problem, MemoryProblem):
            if suite.device != "cpu":
                raise SuiteError(
                    f"sweep '{sweep.name}': '{problem.label}' moves memory, which is timed on the CPU only"
                )
            yield _memory(sweep, KernelTrial(sweep.name, networks, batch, MemoryCell(problem, threads), variant))
            continue
        try:
            cell: AnyCell = KernelCell(problem, spec, out, threads)
        except QBenchError as error:
            raise SuiteError(f"sweep '{sweep.name}': {error}") from error
        yield KernelTrial(sweep.name, networks, batch, cell, variant, peers, tuple(s for s in sweep.own if s != spec))


def _memory(sweep: KernelSweep, trial: KernelTrial) -> KernelTrial:
    """Return the row of a memory operation, which has numbers of its own; refuse a sweep that asks for others."""
    for key in ("spec", "out", "variant", "own", "peers"):
        if key in sweep.model_fields_set:
            raise SuiteError(
                f"sweep '{sweep.name}': '{key}' does not apply to '{trial.cell.problem.label}', which only moves memory"
            )
    return trial


def _problems(sweep: KernelSweep) -> list[tuple[int, Problem | MemoryProblem, tuple[str, ...]]]:
    """Return batch, problem and the tables that hold it, each problem of a batch once."""
    found: dict[tuple[int, Problem | MemoryProblem], list[str]] = {}
    for batch, word in product(sweep.batch, sweep.shapes):
        for text in (word,) if " " in word else table(word):
            names = found.setdefault((batch, parse_shape(text, batch=batch)), [])
            names += [] if " " in word or word in names else [word]
    return [(batch, problem, tuple(names)) for (batch, problem), names in found.items()]
