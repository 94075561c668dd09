"""Cells take fair turns, samples are long enough, and sampling stops for a reason that it tells."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from qbench.errors import QBenchError
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import MIN_ROUNDS, Cell, Rules, inner_loops, interleave, turn_orders
from tests.runner.conftest import FakeTime


def test_a_sample_lasts_at_least_what_is_asked(clock: Clock, fake_time: FakeTime) -> None:
    loops = inner_loops(fake_time.work("a", lambda: 3000), clock, sample_s=1e-3)
    assert loops * 3000e-9 >= 1e-3
    assert loops < 1000


def test_a_coarse_clock_asks_for_1000_of_its_ticks() -> None:
    time = FakeTime(tick_ns=10_000)
    loops = inner_loops(time.work("a", lambda: 100_000), Clock(time.read), sample_s=1e-3)
    assert loops * 100_000e-9 >= 1000 * 10_000e-9


def test_a_slow_call_is_its_own_sample(clock: Clock, fake_time: FakeTime) -> None:
    assert inner_loops(fake_time.work("a", lambda: 50e6), clock, sample_s=1e-3) == 1


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 5])
def test_every_cell_is_equally_often_at_every_place(cells: int) -> None:
    orders = list(islice(turn_orders(cells, random.Random(1)), 3 * cells))
    places = Counter((place, cell) for order in orders for place, cell in enumerate(order))
    assert set(places.values()) == {3}


def test_two_cells_go_abba() -> None:
    first, second = islice(turn_orders(2, random.Random(0)), 2)
    assert first == second[::-1]


def test_the_order_of_turns_depends_on_the_seed_alone() -> None:
    def orders(seed: int) -> list[list[int]]:
        return list(islice(turn_orders(4, random.Random(seed)), 20))

    assert orders(7) == orders(7)
    assert orders(7) != orders(8)


def measure(time: FakeTime, cells: list[Cell], rules: Rules) -> dict[str, tuple[int, str]]:
    rows = interleave("g", cells, rules, clock=Clock(time.read), quiet=lambda: None)
    assert [row.cell for row in rows] == [cell.name for cell in cells]
    assert len({len(row.samples_s) for row in rows}) == 1
    return {row.cell: (len(row.samples_s), row.stop) for row in rows}


def test_steady_cells_stop_as_soon_as_they_are_precise(fake_time: FakeTime) -> None:
    cells = [Cell(name, fake_time.work(name, lambda: 2e6), 1) for name in ("a", "b", "c")]
    assert measure(fake_time, cells, Rules()) == dict.fromkeys("abc", (MIN_ROUNDS, "precise"))


def test_noise_that_averages_out_is_sampled_until_it_is_precise(fake_time: FakeTime) -> None:
    generator = random.Random(3)
    cells = [Cell("a", fake_time.work("a", lambda: 2e6 * generator.uniform(1, 1.2)), 1)]
    rounds, stop = measure(fake_time, cells, Rules(precision=0.02, seconds_a_cell=60))["a"]
    assert stop == "precise"
    assert rounds > MIN_ROUNDS


def test_noise_that_does_not_average_out_is_given_up(fake_time: FakeTime) -> None:
    state = [0]

    def drift() -> float:
        state[0] += 1
        return 1e6 * 1.03 ** state[0]

    cells = [Cell("a", fake_time.work("a", drift), 1)]
    assert measure(fake_time, cells, Rules(seconds_a_cell=1e9))["a"][1] == "no longer improving"


def test_the_time_cap_ends_sampling_but_not_below_six_rounds(fake_time: FakeTime) -> None:
    generator = random.Random(3)
    cells = [Cell(name, fake_time.work(name, lambda: 1e9 * generator.uniform(1, 9)), 1) for name in "ab"]
    assert measure(fake_time, cells, Rules(seconds_a_cell=1.0)) == dict.fromkeys("ab", (MIN_ROUNDS, "time cap"))


def test_samples_are_seconds_a_call_and_paired_by_round(fake_time: FakeTime) -> None:
    cells = [Cell("a", fake_time.work("a", lambda: 1e5), 4, 100, 2), Cell("b", fake_time.work("b", lambda: 5e7), 4)]
    fast, slow = interleave("g", cells, Rules(), clock=Clock(fake_time.read), quiet=lambda: None)
    assert fast.median_s == pytest.approx(1e-4, rel=0.01)
    assert slow.median_s == pytest.approx(5e-2, rel=0.01)
    assert (fast.items, fast.operations, fast.threads, fast.inner_loops > 1) == (4, 100, 2, True)
    assert slow.inner_loops == 1


def test_a_call_that_does_the_work_several_times_is_divided(fake_time: FakeTime) -> None:
    cell = Cell("a", fake_time.work("a", lambda: 12e6), items=2, operations=6, turns=4)
    (found,) = interleave("g", [cell], Rules(), clock=Clock(fake_time.read), quiet=lambda: None)
    assert found.median_s == pytest.approx(3e-3, rel=0.01)
    assert (found.items, found.operations, found.inner_loops) == (2, 6, 4)


def test_the_machine_is_quiet_before_every_turn(fake_time: FakeTime) -> None:
    cells = [Cell(name, fake_time.work(name, lambda: 3e7), 1) for name in "ab"]
    interleave("g", cells, Rules(), clock=Clock(fake_time.read), quiet=lambda: fake_time.calls.append("quiet"))
    turns = fake_time.calls[fake_time.calls.index("b") :]
    assert turns.count("quiet") >= 2 * MIN_ROUNDS


def test_a_kernel_that_compiles_while_times_are_taken_fails_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter([3, 4, 4])  # before, after, and once more for the message
    monkeypatch.setattr("qbench.runner.timing.sampling.compilations", lambda: next(counts))
    cell = Cell("qbench", lambda: None, items=1)
    with pytest.raises(QBenchError, match="network/batch1: 1 kernels compiled while times were taken"):
        interleave("network/batch1", [cell], Rules(seconds_a_cell=0.01), clock=Clock(), quiet=lambda: None)
