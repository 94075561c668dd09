"""Queries on a clock that tests own: latencies count from scheduled arrivals, and the largest rate is found."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from qbench.runner.load.queries import as_they_arrive, one_by_one, poisson_arrivals
from qbench.runner.load.server import largest_rate, serving
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Cell, LoadRules


class Time:
    """A timer in which a call takes as long as it says, and sleeping takes as long as asked."""

    def __init__(self) -> None:
        self.now_ns = 0

    def read(self) -> int:
        self.now_ns += 10
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def call(self, seconds: Callable[[], float]) -> Callable[[], None]:
        return lambda: self.sleep(seconds())


@pytest.fixture
def time() -> Time:
    return Time()


def clock_of(time: Time) -> Clock:
    return Clock(time.read, time.sleep, awake_s=0.0)


def quiet() -> None:
    """No other thread is busy."""


def test_one_stall_delays_every_query_that_arrives_behind_it(time: Time) -> None:
    durations = iter([0.001, 0.050, *[0.001] * 8])
    arrivals = [0.01 * number for number in range(10)]
    found = as_they_arrive(time.call(lambda: next(durations)), arrivals, clock=clock_of(time), enough=lambda _: False)
    assert found == pytest.approx([0.001, 0.050, 0.041, 0.032, 0.023, 0.014, 0.005, 0.001, 0.001, 0.001], abs=1e-5)


def test_parties_take_turns_until_each_has_its_queries(time: Time) -> None:
    cells = [Cell("a", time.call(lambda: 0.001), 1), Cell("b", time.call(lambda: 0.002), 1)]
    found = one_by_one("latency/batch1", cells, LoadRules(queries=100), clock=clock_of(time), quiet=quiet)
    assert [(one.cell, len(one.samples_s), one.stop) for one in found] == [("a", 100, "queries"), ("b", 100, "queries")]
    assert set(found[0].samples_s) == {0.00100001}
    rules = LoadRules(queries=10_000, seconds=0.1)
    short = one_by_one("latency/batch1", cells, rules, clock=clock_of(time), quiet=quiet)
    assert {one.stop for one in short} == {"time cap"}
    assert len(short[0].samples_s) < 200


def test_arrivals_have_the_rate_and_are_the_same_for_a_seed() -> None:
    arrivals = poisson_arrivals(200.0, 4000, seed=1)
    assert arrivals == poisson_arrivals(200.0, 4000, seed=1)
    assert arrivals[-1] == pytest.approx(20.0, rel=0.05)


def test_the_largest_rate_of_a_server_with_one_service_time_is_that_of_queueing_theory(time: Time) -> None:
    """M/D/1 with a bound of three service times (Crommelin 1932): at a load of 0.32 all but 1 % are within it."""
    load = 0.3199
    assert (1 - load) * (math.exp(2 * load) - load * math.exp(load)) == pytest.approx(0.99, abs=1e-4)
    rules = LoadRules(queries=8000, seconds=1e6, bound_s=0.003, tolerance=0.02)
    tried = serving(time.call(lambda: 0.001), 0.003, clock=clock_of(time), quiet=quiet, seed=3)
    found = largest_rate(tried, capacity_hz=1000.0, rules=rules)
    assert found.rate_hz is not None
    assert 0.92 * load < found.rate_hz / 1000.0 < load
    assert found.rate_hz < found.over_hz <= 1.02 * found.rate_hz
    assert len(found.held_s) == 8000 > len(found.over_s)


def test_a_server_slower_than_its_bound_has_no_rate_and_short_tries_tell_none(time: Time) -> None:
    tried = serving(time.call(lambda: 0.010), 0.003, clock=clock_of(time), quiet=quiet, seed=0)
    rules = LoadRules(bound_s=0.003, seconds=1e6)
    assert largest_rate(tried, capacity_hz=100.0, rules=rules).rate_hz == 0.0
    rules = LoadRules(bound_s=0.1, seconds=1.0)
    assert largest_rate(tried, capacity_hz=100.0, rules=rules).rate_hz is None


def test_one_bad_moment_does_not_cost_a_rate(time: Time) -> None:
    chance = random.Random(0)
    blips = {chance.randrange(2000): 0.05}
    count = 0

    def seconds() -> float:
        nonlocal count
        count += 1
        return blips.get(count, 0.001)

    rules = LoadRules(bound_s=0.05, seconds=1e6, tolerance=0.05)
    tried = serving(time.call(seconds), 0.05, clock=clock_of(time), quiet=quiet, seed=0)
    found = largest_rate(tried, capacity_hz=1000.0, rules=rules)
    assert found.rate_hz is not None
    assert found.rate_hz > 800.0
