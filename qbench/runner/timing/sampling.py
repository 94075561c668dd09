"""Samples of cells that take turns: how often each is called, in which order, and when to stop.

Every sample is kept; medians, intervals and ratios are computed by whoever reads them. What is timed is a *warm* call:
one untimed call goes before a short one. Before each turn nothing of the cell before may still run (`runner.quiet`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qbench.core.trial import Measurement
from qbench.errors import QBenchError
from qbench.kernels.compilations import compilations
from qbench.metrics.speed import median_interval
from qbench.runner.timing.clock import Clock

MIN_ROUNDS = 6
"""With fewer samples than six no pair of order statistics covers the median with 95 %."""

_WARM_BELOW_S = 0.020
"""Shorter calls are warmed by an untimed one; waking threads (about 0.1 ms) is below half a percent of longer ones."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to time.

    Args:
        name: `qbench` or the name of a peer.
        call: does the work `turns` times; must neither compile nor grow its buffers.
        items: images (or rows) of the work.
        operations: arithmetic operations of the work, 0 when unknown.
        threads: threads that the call may use.
        turns: more than 1 where starting a call is no part of the work; a call's time is divided by it.
    """

    name: str
    call: Callable[[], object]
    items: int
    operations: int = 0
    threads: int = 1
    turns: int = 1


@dataclass(frozen=True, slots=True)
class LoadRules:
    """How many queries latencies and scenarios take, and what a server is held to.

    Args:
        queries: of a latency, and of a rate that a server is tried at; 0 for as many as bound a p99.
        seconds: end a latency, or a rate, after so long although queries are left.
        bound_s: what 99 % of a server's queries have to stay under; None where no server is tried.
        tolerance: how near the largest rate that holds and the smallest that does not shall come, as a share.
        energy_s: how long energy is read, idle and at work.
        cold: whether a start without compiled kernels is timed, too.
    """

    queries: int = 0
    seconds: float = 15.0
    bound_s: float | None = None
    tolerance: float = 0.03
    energy_s: float = 5.0
    cold: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """When a sample is long enough and when there are enough of them.

    Args:
        precision: stop when half the 95 % interval of every cell's median is at most this share of the median.
        seconds_a_cell: stop when the group has taken this long for each of its cells, waiting included.
        sample_s: least length of a sample; never less than 1000 ticks of the clock. The default is a third of the
            quiet that may have to be waited for before it, so that a group's time goes into samples.
        patience: rounds double in number without the interval shrinking below this share: no longer improving.
        load: of latencies, scenarios and energy.
        processes: fresh processes of every party, at least; 1 for what is there.
        seconds: begin no more processes that would end after so long.
    """

    precision: float = 0.01
    seconds_a_cell: float = 1.5
    sample_s: float = 0.01
    patience: float = 0.9
    load: LoadRules = LoadRules()
    processes: int = 1
    seconds: float = 120.0


def inner_loops(call: Callable[[], object], clock: Clock, *, sample_s: float) -> int:
    """Return how many calls make a sample of at least `sample_s` and at least 1000 ticks of the clock."""
    target_s = max(sample_s, 1000 * clock.tick_s)
    loops = 1
    while (elapsed_s := clock.elapsed_s(call, loops)) < target_s:
        wanted = loops * 1.2 * target_s / elapsed_s if elapsed_s > 0 else 10 * loops
        loops = max(loops + 1, min(10 * loops, math.ceil(wanted)))
    return loops


def turn_orders(cells: int, generator: random.Random) -> Iterator[list[int]]:
    """Yield the order of each round, for ever, from random cyclic Latin squares.

    So each cell is equally often at each place. For two cells that is ABBA (or BAAB).
    """
    while True:
        base = list(range(cells))
        generator.shuffle(base)
        shifts = list(range(cells))
        generator.shuffle(shifts)
        for shift in shifts:
            yield base[shift:] + base[:shift]


def interleave(
    group: str,
    cells: Sequence[Cell],
    rules: Rules,
    *,
    clock: Clock,
    seed: int = 0,
    quiet: Callable[[], None],
) -> tuple[Measurement, ...]:
    """Return the samples of cells that took turns, round by round.

    Args:
        group: name of the group, e.g. `network/batch256`.
        cells: what is compared; every cell must have been called before, so that nothing compiles now.
        rules: length and number of samples.
        clock: the clock.
        seed: of the random order of turns.
        quiet: is called before each turn and returns when no other thread of this process is busy.

    Raises:
        QBenchError: something was compiled meanwhile, so that its time may be in a sample.
    """
    loops, warmed = [], []
    for cell in cells:
        quiet()
        loops.append(inner_loops(cell.call, clock, sample_s=rules.sample_s))
        warmed.append(loops[-1] > 1 or clock.elapsed_s(cell.call, 1) < _WARM_BELOW_S)
    samples: list[list[float]] = [[] for _ in cells]
    compiled = compilations()
    start_s, stops = clock.now_s(), [""] * len(cells)
    for order in turn_orders(len(cells), random.Random(seed)):
        for index in order:
            quiet()
            if warmed[index]:
                cells[index].call()
            elapsed_s = clock.elapsed_s(cells[index].call, loops[index])
            samples[index].append(elapsed_s / (loops[index] * cells[index].turns))
        rounds = len(samples[0])
        if rounds < MIN_ROUNDS or rounds % len(cells):
            continue
        group_s = clock.now_s() - start_s
        stops = [_stop_reason(kept, rules, spent_s=group_s / len(cells)) for kept in samples]
        if all(stops) or group_s >= rules.seconds_a_cell * len(cells):
            break
    if compilations() != compiled:
        raise QBenchError(f"{group}: {compilations() - compiled} kernels compiled while times were taken")
    return tuple(
        Measurement(group, cell.name, tuple(kept), count * cell.turns, cell.items, cell.operations, cell.threads, stop)
        for cell, kept, count, stop in zip(cells, samples, loops, stops, strict=True)
    )


def relative_half_width(samples: Sequence[float]) -> float:
    """Return half the 95 % interval of the median as a share of the median."""
    low, high = median_interval(samples)
    middle = sorted(samples)[len(samples) // 2]
    return 0.5 * (high - low) / middle if middle > 0 else math.inf


def _stop_reason(samples: Sequence[float], rules: Rules, *, spent_s: float) -> str:
    """Return why this cell needs no more samples, or "" while it does."""
    width = relative_half_width(samples)
    if width <= rules.precision:
        return "precise"
    half = len(samples) // 2
    if half >= 4 * MIN_ROUNDS and width > rules.patience * relative_half_width(samples[:half]):
        return "no longer improving"
    return "time cap" if spent_s >= rules.seconds_a_cell else ""
