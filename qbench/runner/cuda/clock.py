"""The device's clock: events around the calls of a sample, the second-level cache flushed before it."""

from __future__ import annotations

import time
from collections.abc import Callable

from qbench.kernels.cuda.machines.driver import Device
from qbench.runner.timing.clock import Clock, Timer

FLUSHES = 2
"""The flush writes so many times the second-level cache."""


class DeviceClock(Clock):
    """Times calls that start work on the device's stream; `now_s` is the host's time.

    Args:
        device: whose stream the calls work on.
        timer: the host's timer.
    """

    def __init__(self, device: Device, timer: Timer = time.perf_counter_ns) -> None:
        super().__init__(timer)
        self._device = device
        self._start, self._end = device.event(), device.event()
        self._flush = device.empty(FLUSHES * max(device.attribute("l2_bytes"), 1))

    def elapsed_s(self, call: Callable[[], object], loops: int) -> float:
        """Return the device's seconds from the first call's start to the last one's end."""
        device, turns = self._device, range(loops)
        device.fill(self._flush, loops % 251)
        device.record(self._start)
        for _ in turns:
            call()
        device.record(self._end)
        return device.elapsed_s(self._start, self._end)

    @property
    def tick_s(self) -> float:
        """The step of the device's events."""
        return 0.5e-6
