"""How long and how precisely a suite wants its cells timed."""

from __future__ import annotations

from qbench.runner.timing.sampling import Rules
from qbench.suite import Suite

QUICK_PRECISION, QUICK_SECONDS = 0.05, 0.3


def timing_rules(suite: Suite, *, quick: bool) -> Rules:
    """Return the suite's rules; a quick run stops at 5 %, and after 0.3 s per cell at the latest."""
    timing = suite.timing
    if not quick:
        return Rules(precision=timing.precision, seconds_a_cell=timing.seconds_a_cell)
    return Rules(
        precision=max(timing.precision, QUICK_PRECISION), seconds_a_cell=min(timing.seconds_a_cell, QUICK_SECONDS)
    )
