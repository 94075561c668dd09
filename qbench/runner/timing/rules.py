"""How long and how precisely a suite wants its cells timed."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from qbench.runner.timing.sampling import LoadRules, Rules
from qbench.suite import Suite

QUICK_PRECISION, QUICK_SECONDS = 0.05, 0.3
QUICK_LOAD = LoadRules(seconds=2.0, tolerance=0.1, energy_s=1.0, cold=False)


class Asked(Protocol):
    """The `timing` of a suite."""

    @property
    def precision(self) -> float:
        """Relative half width of the interval to stop at."""
        ...

    @property
    def seconds_a_cell(self) -> float:
        """Longest time of a cell."""
        ...

    @property
    def processes(self) -> int | None:
        """Fresh processes of every party; None for what is there."""
        ...

    @property
    def seconds(self) -> float | None:
        """Longest time of all processes of a group."""
        ...


class Timed(Protocol):
    """A suite whose cells are timed."""

    @property
    def timing(self) -> Asked:
        """How."""
        ...


def timing_rules(suite: Timed, *, quick: bool) -> Rules:
    """Return the suite's rules; see `rules_of`."""
    return rules_of(suite.timing, quick=quick)


def network_rules(suite: Suite, *, quick: bool) -> Rules:
    """Return the rules of a suite of networks, those of latencies and scenarios too; see `rules_of`."""
    timing, load = suite.timing, QUICK_LOAD if quick else LoadRules()
    seconds = timing.query_seconds or load.seconds
    load = replace(
        load,
        queries=timing.queries or 0,
        seconds=min(seconds, load.seconds) if quick else seconds,
        bound_s=timing.bound_s,
    )
    return replace(timing_rules(suite, quick=quick), load=load)


def rules_of(timing: Asked, *, quick: bool) -> Rules:
    """Return the rules of a suite's `timing`; a quick run stops at 5 %, and after 0.3 s per cell at the latest."""
    rules = Rules(precision=timing.precision, seconds_a_cell=timing.seconds_a_cell, processes=timing.processes or 1)
    rules = replace(rules, seconds=timing.seconds or rules.seconds)
    if not quick:
        return rules
    return replace(
        rules,
        precision=max(rules.precision, QUICK_PRECISION),
        seconds_a_cell=min(rules.seconds_a_cell, QUICK_SECONDS),
    )
