"""The clock adds up what its timer says, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from tests.runner.conftest import FakeTime


def test_elapsed_time_is_that_of_all_loops(clock: Clock, fake_time: FakeTime) -> None:
    assert clock.elapsed_s(fake_time.work("a", lambda: 1000), 5) == pytest.approx((5 * 1000 + 10) * 1e-9)
    assert fake_time.calls == ["a"] * 5


def test_the_tick_is_the_smallest_step_seen() -> None:
    assert Clock(FakeTime(tick_ns=40).read).tick_s == pytest.approx(40e-9)


def test_the_default_timer_goes_forward() -> None:
    clock = Clock()
    assert clock.now_s() < clock.now_s() + clock.tick_s


def test_a_phase_counts_its_time_even_when_it_fails(clock: Clock, fake_time: FakeTime) -> None:
    phases = Phases(clock)

    def fail() -> None:
        with phases("load"):
            fake_time.work("a", lambda: 1e9)()
            raise RuntimeError

    with phases("load"):
        fake_time.work("a", lambda: 2e9)()
    with pytest.raises(RuntimeError):
        fail()
    assert phases.seconds == {"load": pytest.approx(3.0, abs=1e-6)}


def test_what_earlier_rows_computed_counts_once_as_shared(clock: Clock, fake_time: FakeTime) -> None:
    costs: dict[Hashable, float] = {}
    first, second = Phases(clock), Phases(clock)
    with first("quantize"), first.first(costs, "stats"):
        fake_time.work("a", lambda: 2e9)()
    for phases in (first, second, second):
        phases.again(costs, "stats")
    assert first.seconds == {"quantize": pytest.approx(2.0, abs=1e-6)}
    assert second.seconds == {"shared": pytest.approx(2.0, abs=1e-6)}
