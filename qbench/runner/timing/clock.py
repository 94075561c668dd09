"""The clock. Tiny and alone: nothing else in qbench reads the time for a measurement; tests pass their own timer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Protocol, runtime_checkable

Timer = Callable[[], int]
"""Returns nanoseconds that never go back."""


class Clock:
    """Time calls with a timer.

    Args:
        timer: returns nanoseconds; the default is the finest monotonic timer that Python has.
        sleep: lets seconds pass, or a little more.
        awake_s: how long before a moment that is waited for sleep ends.
    """

    def __init__(
        self, timer: Timer = time.perf_counter_ns, sleep: Callable[[float], None] = time.sleep, awake_s: float = 1e-3
    ) -> None:
        self._timer, self._sleep, self._awake_s = timer, sleep, awake_s

    def now_s(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self._timer() * 1e-9

    def elapsed_s(self, call: Callable[[], object], loops: int) -> float:
        """Return the seconds that `loops` calls take together."""
        timer, turns = self._timer, range(loops)
        start = timer()
        for _ in turns:
            call()
        return (timer() - start) * 1e-9

    def wait_until(self, moment_s: float) -> None:
        """Return at a moment, in seconds of `now_s`: asleep at first, at the end awake."""
        while (left_s := moment_s - self.now_s()) > 0:
            if left_s > self._awake_s:
                self._sleep(left_s - self._awake_s)

    @cached_property
    def tick_s(self) -> float:
        """The smallest step that this timer was seen to make, in seconds."""
        steps: list[int] = []
        while len(steps) < 100:
            start = end = self._timer()
            while end == start:
                end = self._timer()
            steps.append(end - start)
        return min(steps) * 1e-9


@runtime_checkable
class Elsewhere(Protocol):
    """A call in another process, which reads the time around its own loop."""

    def elapsed_s(self, loops: int) -> float:
        """Return the seconds that `loops` calls take together."""
        ...


class PartyClock(Clock):
    """A clock for calls that are in other processes too."""

    def elapsed_s(self, call: Callable[[], object], loops: int) -> float:
        """Return the seconds that `loops` calls take together, where they are made."""
        return call.elapsed_s(loops) if isinstance(call, Elsewhere) else super().elapsed_s(call, loops)
