"""Queries one after the other, and queries that arrive when they like: each one's latency is kept.

A latency counts from the moment at which a query was to arrive. In a closed loop that is when the one before was
answered; in an open one it is scheduled beforehand, so that a query that waits behind a slow one shows it (no
coordinated omission).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from qbench.core.trial import Measurement
from qbench.errors import QBenchError
from qbench.kernels.compilations import compilations
from qbench.metrics.percentiles import QUERIES
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Cell, LoadRules

BLOCK = 32
"""Queries of one party before the next one's turn."""
_DIGITS = 9
"""Of a kept latency in seconds: a nanosecond."""


def queries_wanted(rules: LoadRules) -> int:
    """Return the queries of a latency."""
    return rules.queries or QUERIES


def one_by_one(
    group: str, cells: Sequence[Cell], rules: LoadRules, *, clock: Clock, quiet: Callable[[], None], seed: int = 0
) -> tuple[Measurement, ...]:
    """Return the latencies of parties that took turns in blocks of 32 queries, one query after the other.

    Args:
        group: name of the group, e.g. `latency/batch1`.
        cells: the parties; each must have been called before, so that nothing compiles now.
        rules: how many queries, and for how long at most.
        clock: the clock.
        quiet: is called before each block and returns when no other thread of this process is busy.
        seed: of the order of turns.

    Raises:
        QBenchError: something was compiled meanwhile.
    """
    latencies: list[list[float]] = [[] for _ in cells]
    generator, compiled, start_s = random.Random(seed), compilations(), clock.now_s()
    wanted, most_s = queries_wanted(rules), rules.seconds * len(cells)
    while len(latencies[0]) < wanted and clock.now_s() - start_s < most_s:
        for index in generator.sample(range(len(cells)), len(cells)):
            quiet()
            cells[index].call()
            for _ in range(min(BLOCK, wanted - len(latencies[index]))):
                latencies[index].append(round(clock.elapsed_s(cells[index].call, 1), _DIGITS))
    if compilations() != compiled:
        raise QBenchError(f"{group}: {compilations() - compiled} kernels compiled while latencies were taken")
    return tuple(_measurement(group, cell, kept, wanted) for cell, kept in zip(cells, latencies, strict=True))


def _measurement(group: str, cell: Cell, latencies_s: Sequence[float], wanted: int) -> Measurement:
    stop = "queries" if len(latencies_s) >= wanted else "time cap"
    return Measurement(group, cell.name, tuple(latencies_s), 1, cell.items, cell.operations, cell.threads, stop)


def poisson_arrivals(rate_hz: float, count: int, *, seed: int) -> list[float]:
    """Return the moments, in seconds from the start, at which so many queries arrive at a mean rate (Poisson)."""
    found: list[float] = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate_hz, count)).tolist()
    return found


def as_they_arrive(
    call: Callable[[], object], arrivals_s: Sequence[float], *, clock: Clock, enough: Callable[[float], bool]
) -> list[float]:
    """Answer queries in their order, each as soon as it has arrived and the one before is answered.

    Args:
        call: answers one query.
        arrivals_s: moments from the start, ascending.
        clock: the clock.
        enough: hears every latency; true ends the run early.

    Returns:
        Latencies in seconds, from the scheduled arrival.
    """
    found: list[float] = []
    start_s = clock.now_s()
    for arrival_s in arrivals_s:
        clock.wait_until(start_s + arrival_s)
        call()
        found.append(round(clock.now_s() - start_s - arrival_s, _DIGITS))
        if enough(found[-1]):
            break
    return found
