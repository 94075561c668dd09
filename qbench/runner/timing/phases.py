"""Seconds spent in each phase of a trial: load, calibrate, quantize, pack, compile, verify, score, time."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from qbench.runner.timing.clock import Clock

SHARED = "shared"
"""Seconds that earlier rows spent on what this one uses too: not spent again, and part of what it would cost alone."""


class Phases:
    """Add up the seconds of named phases.

    Args:
        clock: what to read the time from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}
        self._inner_s: list[float] = []
        self._seen: set[tuple[int, Hashable]] = set()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time inside the `with` block for `name`, whether or not the block raises.

        A phase inside another one counts for itself alone: no second is counted twice.
        """
        start = self._clock.now_s()
        self._inner_s.append(0.0)
        try:
            yield
        finally:
            spent_s, inner_s = self._clock.now_s() - start, self._inner_s.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + spent_s - inner_s
            if self._inner_s:
                self._inner_s[-1] += spent_s

    @contextmanager
    def first(self, costs: dict[Hashable, float], key: Hashable) -> Iterator[None]:
        """Keep the seconds inside the `with` block in `costs`, for rows that use what is computed there again."""
        self._seen.add((id(costs), key))
        start = self._clock.now_s()
        yield
        costs[key] = self._clock.now_s() - start

    def again(self, costs: dict[Hashable, float], key: Hashable) -> None:
        """Count the seconds that an earlier row spent on `key` as shared, once."""
        if (id(costs), key) not in self._seen:
            self._seen.add((id(costs), key))
            self.seconds[SHARED] = self.seconds.get(SHARED, 0.0) + costs.get(key, 0.0)
