"""qbench beside MLPerf's load generator: a stand-in that answers as its traces do, and the real one where it is."""

from __future__ import annotations

import math

import pytest

from qbench.errors import NotInstalledError
from qbench.runner.load.loadgen import Both, Compared, LoadGen, trace_latencies
from qbench.runner.load.server import Tried
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import LoadRules


class StandIn(LoadGen):
    """Says of every query what it is told, and of every rate whether it is below a limit."""

    def __init__(self, latency_s: float, limit_hz: float) -> None:
        self._latency_s, self._limit_hz = latency_s, limit_hz

    def single(self, queries: int) -> list[float]:
        return [self._latency_s + 0.00001] * queries

    def itself(self, queries: int) -> list[float]:
        return [0.00001] * queries

    def server(self, rate_hz: float, queries: int, bound_s: float, *, seed: int) -> Tried:
        return Tried(rate_hz < self._limit_hz, ())


class Time:
    """A timer in which a call takes a millisecond."""

    now_ns = 0

    def read(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float = 0.001) -> None:
        self.now_ns += math.ceil(1e9 * seconds)


def compared(latency_s: float, limit_hz: float) -> dict[str, Compared]:
    time, rules = Time(), LoadRules(queries=700, seconds=1e6, bound_s=0.01, tolerance=0.05)
    clock = Clock(time.read, time.pass_s, awake_s=0.0)
    both = Both(time.pass_s, StandIn(latency_s, limit_hz), rules, clock, lambda: None, lambda _: None)
    return {one.name: one for one in both.compared()}


def test_figures_agree_where_their_intervals_meet() -> None:
    least = list(compared(0.001, 1.0).values())[-1].own[1]
    found = compared(0.001, 1.02 * least)
    assert [one.agrees for one in found.values()] == [True] * 4
    assert found["p99, s"].own == pytest.approx((0.001, 0.001, 0.001))
    assert 600 < least < 900


def test_another_latency_and_another_rate_are_off() -> None:
    found = compared(0.0011, 500.0)
    assert [one.agrees for one in found.values()] == [False] * 4


def test_a_trace_says_latencies_from_the_scheduled_arrival() -> None:
    trace = """{"traceEvents":[
{"name":"Sample","cat":"default","ph":"b","pid":8,"id":0,"ts":2.0,"args":{"issue_start_ns":191,"complete_ns":318655}},
{"name":"Sample","cat":"default","ph":"e", "pid":8,"id":0,"ts":5.6},
{"name":"IssueQuery","ph":"X","pid":8,"ts":2.1,"dur":3.0,"args":{}}
"""
    assert trace_latencies(trace) == [pytest.approx(0.000318655)]


def test_the_load_generator_itself_times_the_same_calls() -> None:
    try:
        other = LoadGen(lambda: math.fsum(range(1000)))
    except NotInstalledError as error:
        pytest.skip(str(error))
    latencies = other.single(70)
    assert len(latencies) == 70
    assert 0 < min(latencies) < 0.01
    holds, served = other.server(100.0, 60, 1.0, seed=0)
    assert (holds, len(served)) == (False, 60)  # 60 queries bound no p99
