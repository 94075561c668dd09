"""How long and how precisely a suite wants its cells timed."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from qbench.runner.timing.sampling import Rules

QUICK_PRECISION, QUICK_SECONDS = 0.05, 0.3


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


class Timed(Protocol):
    """A suite whose cells are timed."""

    @property
    def timing(self) -> Asked:
        """How."""
        ...


def timing_rules(suite: Timed, *, quick: bool) -> Rules:
    """Return the suite's rules; see `rules_of`."""
    return rules_of(suite.timing, quick=quick)


def rules_of(timing: Asked, *, quick: bool) -> Rules:
    """Return the rules of a suite's `timing`; a quick run stops at 5 %, and after 0.3 s per cell at the latest."""
    rules = Rules(precision=timing.precision, seconds_a_cell=timing.seconds_a_cell)
    if not quick:
        return rules
    return replace(
        rules,
        precision=max(rules.precision, QUICK_PRECISION),
        seconds_a_cell=min(rules.seconds_a_cell, QUICK_SECONDS),
    )
