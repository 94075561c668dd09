"""What makers of rows on the first GPU share: the process that holds it, its ceilings, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from qbench.runner.cuda import health
from qbench.runner.cuda.worker import Worker
from qbench.runner.maker import Reading
from qbench.runner.plan import Plan
from qbench.runner.timing.rules import Timed, timing_rules
from qbench.runner.timing.sampling import Rules

SAMPLE_S = 0.002
"""Least length of a sample on the device, whose events tick every half microsecond."""


class CudaMaker:
    """Asks a worker; a kernel that breaks the device costs one row."""

    rows_a_reading = 8
    """The vendor's tool takes most of a second to answer."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._worker = plan, Worker()

    def ceilings(self) -> dict[str, float]:
        """Measure what the device can do at most."""
        found: Mapping[str, float] = self._worker.ask("ceilings", self._plan.quick)
        return dict(found)

    def reading(self, when: str) -> Reading:
        """Ask the vendor's tool for clocks, temperature and power."""
        return health.read(when)

    def is_unstable(self, readings: Sequence[Reading]) -> bool:
        """Return whether the device held itself back."""
        return health.throttled(list(readings))

    def close(self) -> None:
        """End the process that holds the device."""
        self._worker.close()


def device_rules(suite: Timed, *, quick: bool) -> Rules:
    """Return the suite's rules with samples as long as the device's clock needs."""
    return replace(timing_rules(suite, quick=quick), sample_s=SAMPLE_S)
