"""The canary's loops can be read, and a move of more than 3 % is called unstable."""

from __future__ import annotations

from qbench.runner.machine.canary import Canary, is_unstable, largest_move
from qbench.runner.timing.clock import Clock

STEADY = [{"when": "before", "compute_s": 1.0, "memory_s": 2.0}, {"when": "after", "compute_s": 1.02, "memory_s": 1.95}]


def test_both_loops_take_time() -> None:
    reading = Canary(Clock()).read("before")
    assert reading.when == "before"
    assert reading.compute_s > 0
    assert reading.memory_s > 0


def test_a_move_of_three_percent_is_borne() -> None:
    assert not is_unstable(STEADY)


def test_a_larger_move_of_either_loop_is_unstable() -> None:
    assert is_unstable([*STEADY, {"when": "end", "compute_s": 1.05, "memory_s": 2.0}])
    assert is_unstable([*STEADY, {"when": "end", "compute_s": 1.0, "memory_s": 1.9}])


def test_one_reading_cannot_move() -> None:
    assert largest_move(STEADY[:1]) == 0.0
