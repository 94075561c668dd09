"""MLPerf's scenarios and latencies of batches, of a network and of the libraries that take turns with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from qbench.core.trial import Measurement
from qbench.errors import QBenchError
from qbench.kernels.compilations import compilations
from qbench.results.columns import MULTI, OFFLINE, SERVER, SERVER_OVER, SINGLE, latency_group
from qbench.runner.load.queries import one_by_one
from qbench.runner.load.server import Found, largest_rate, serving
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Cell, LoadRules, Rules, interleave

MULTI_SAMPLES = 8
"""Samples of a query of MultiStream."""

CellOf = Callable[[int], Sequence[Cell]]
"""Samples of a call -> the parties' cells."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What queries are sent to, and how they are timed.

    Args:
        cells: the parties, by samples a call; each cell was called before and its answer checked.
        rules: of times and of load.
        clock: the clock.
        quiet: returns when no thread of another party is busy.
    """

    cells: CellOf
    rules: Rules
    clock: Clock
    quiet: Callable[[], None]


def latencies(bench: Bench, batches: Sequence[int]) -> list[Measurement]:
    """Return the latencies of calls of each batch size, one after the other."""
    found: list[Measurement] = []
    for batch in batches:
        found += _one_by_one(bench, latency_group(batch), batch)
    return found


def scenarios(bench: Bench, offline_batch: int) -> tuple[list[Measurement], Mapping[str, Found]]:
    """Return the times of all four scenarios, and what the search of each party's server found.

    Args:
        bench: what queries are sent to.
        offline_batch: samples of a call where all samples are there at once.
    """
    single = _one_by_one(bench, SINGLE, 1)
    found = [*single, *_one_by_one(bench, MULTI, MULTI_SAMPLES)]
    found += interleave(OFFLINE, bench.cells(offline_batch), bench.rules, clock=bench.clock, quiet=bench.quiet)
    servers = {}
    for cell, alone in zip(bench.cells(1), single, strict=True):
        server = servers[cell.name] = _server(bench, cell, capacity_hz=1.0 / median(alone.samples_s))
        for group, kept in ((SERVER, server.held_s), (SERVER_OVER, server.over_s)):
            if kept:
                found.append(Measurement(group, cell.name, tuple(kept), 1, 1, cell.operations, cell.threads))
    return found, servers


def _one_by_one(bench: Bench, group: str, batch: int) -> tuple[Measurement, ...]:
    return one_by_one(group, bench.cells(batch), bench.rules.load, clock=bench.clock, quiet=bench.quiet)


def _server(bench: Bench, cell: Cell, *, capacity_hz: float) -> Found:
    """Return the largest rate at which a party's p99 stays under the bound."""
    rules: LoadRules = bench.rules.load
    assert rules.bound_s is not None
    compiled = compilations()
    tried = serving(cell.call, rules.bound_s, clock=bench.clock, quiet=bench.quiet, seed=0)
    found = largest_rate(tried, capacity_hz=capacity_hz, rules=rules)
    if compilations() != compiled:
        raise QBenchError(f"{SERVER}: {compilations() - compiled} kernels compiled while queries were served")
    return found
