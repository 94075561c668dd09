"""Seconds spent in each phase of a trial: load, calibrate, quantize, pack, compile, verify, score, time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qbench.runner.timing.clock import Clock


class Phases:
    """Add up the seconds of named phases.

    Args:
        clock: what to read the time from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time inside the `with` block for `name`, whether or not the block raises."""
        start = self._clock.now_s()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock.now_s() - start
