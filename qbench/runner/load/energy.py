"""Joules of a sample: what a sensor counts while a network runs, less what it counts while nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qbench.runner.machine.sensors import Sensor
from qbench.runner.timing.clock import Clock


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a sample in joules beyond the idle machine's, and the mean power in watts meanwhile."""

    sample_j: float
    power_w: float


def idle_w(sensor: Sensor, seconds: float, *, clock: Clock) -> float:
    """Return the mean power while this process sleeps."""
    start_s, before = clock.now_s(), sensor.read()
    clock.wait_until(start_s + seconds)
    return sensor.spent_j(before, sensor.read()) / (clock.now_s() - start_s)


def energy(
    call: Callable[[], object], items: int, sensor: Sensor, seconds: float, *, idle: float, clock: Clock
) -> Energy:
    """Return what calls of so many samples cost, called again and again for some seconds.

    Args:
        call: runs the network.
        items: samples of a call.
        sensor: counts energy.
        seconds: how long; counters move a thousand times a second at most, so that seconds are exact to 0.1 %.
        idle: watts of the same sensor while nothing runs.
        clock: the clock.
    """
    calls, start_s, before = 0, clock.now_s(), sensor.read()
    while clock.now_s() - start_s < seconds:
        call()
        calls += 1
    spent_s, spent_j = clock.now_s() - start_s, sensor.spent_j(before, sensor.read())
    return Energy((spent_j - idle * spent_s) / (calls * items), spent_j / spent_s)
