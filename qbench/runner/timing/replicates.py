"""Times over fresh processes: what a new start changes, and samples of one process never show, is in the interval.

Parties take turns as ever, in processes of their own; then all are started anew. The interval that counts is that of
processes (`qbench.results.replicates`): of the ratio to the fastest other party, of the time itself without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qbench.core.trial import Measurement
from qbench.results.replicates import judge_rows, medians, process_logs
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Rules

LEAST = 2
"""One process has no spread."""


def share_of(rules: Rules) -> Rules:
    """Return the rules of one set of processes: its share of the time."""
    return replace(rules, seconds_a_cell=rules.seconds_a_cell / rules.processes)


def over_processes(
    once: Callable[[], tuple[Measurement, ...]], own: str, rules: Rules, *, clock: Clock
) -> tuple[Measurement, ...]:
    """Return the times of all parties over several sets of fresh processes, or of one where that is what is asked.

    Args:
        once: times every party in fresh processes, in turns.
        own: the party that the row is about; where a set has no times of it, no more are started.
        rules: how many sets at least, which half width is narrow enough, and how long all may take.
        clock: the clock.
    """
    sets: list[tuple[Measurement, ...]] = []
    start_s = clock.now_s()
    while True:
        begun_s = clock.now_s()
        sets.append(once())
        if rules.processes == 1 or not any(found.cell == own for found in sets[-1]):
            return sets[-1]
        now_s, narrow = clock.now_s(), len(sets) >= LEAST and half_width(joined(sets, ""), own) <= rules.precision
        if len(sets) >= rules.processes and narrow:
            return joined(sets, "precise")
        if len(sets) >= LEAST and now_s - start_s + (now_s - begun_s) > rules.seconds:
            return joined(sets, "time cap")


def joined(sets: Sequence[tuple[Measurement, ...]], stop: str) -> tuple[Measurement, ...]:
    """Return the times of the parties that every set has, with the samples of each."""
    found = []
    for first in sets[0]:
        each = [one for some in sets for one in some if (one.group, one.cell) == (first.group, first.cell)]
        if len(each) == len(sets):
            samples = tuple(sample for one in each for sample in one.samples_s)
            counts = tuple(len(one.samples_s) for one in each)
            found.append(replace(first, samples_s=samples, processes=counts, stop=stop))
    return tuple(found)


def half_width(found: Sequence[Measurement], own: str) -> float:
    """Return half the interval that counts, as a share."""
    mine = next(one for one in found if one.cell == own)
    others = [one for one in found if one is not mine and one.median_s > 0]
    fastest = min(others, key=lambda one: one.median_s / one.items, default=None)
    return judge_rows([medians(process_logs(mine, fastest))])[0].half_width
