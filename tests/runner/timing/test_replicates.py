"""Times over fresh processes: when enough were started, and whose samples are whose."""

from __future__ import annotations

import math
from collections.abc import Callable

from qbench.core.trial import Measurement
from qbench.metrics.speed import paired_ratio
from qbench.results.replicates import ratio_of, time_interval
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.replicates import half_width, over_processes
from qbench.runner.timing.sampling import Rules

MOVES = (0.0, 0.02, -0.01, 0.01, -0.02, 0.0, 0.01, -0.01)


def sets(moves: tuple[float, ...], seconds: list[float]) -> Callable[[], tuple[Measurement, ...]]:
    """Processes in which qbench is slower by some share, each of 10 s and ten samples."""
    left = iter(moves)

    def once() -> tuple[Measurement, ...]:
        seconds[0] += 10.0
        times = (0.001 * math.exp(next(left)),) * 10
        return (Measurement("g", "qbench", times, 1, 1), Measurement("g", "peer", (0.002,) * 10, 1, 1))

    return once


def timed(rules: Rules, moves: tuple[float, ...] = MOVES) -> tuple[Measurement, ...]:
    seconds = [0.0]
    return over_processes(sets(moves, seconds), "qbench", rules, clock=Clock(lambda: round(seconds[0] * 1e9)))


def test_one_process_is_what_there_was_before() -> None:
    own, _ = timed(Rules())
    assert (len(own.samples_s), own.processes) == (10, ())


def test_processes_are_started_until_the_interval_that_counts_is_narrow() -> None:
    own, peer = timed(Rules(precision=0.02, processes=3))
    assert own.processes == peer.processes
    assert len(own.processes) > 3
    assert (own.stop, half_width((own, peer), "qbench") <= 0.02) == ("precise", True)
    steady, _ = timed(Rules(precision=0.02, processes=3), (0.0,) * 3)
    assert steady.processes == (10, 10, 10)


def test_the_budget_ends_them_but_not_below_two() -> None:
    assert [len(timed(Rules(precision=1e-6, processes=3, seconds=s))[0].processes) for s in (1.0, 45.0)] == [2, 4]
    assert timed(Rules(precision=1e-6, processes=3, seconds=45.0))[0].stop == "time cap"


def test_the_interval_is_that_of_processes_and_not_of_their_samples() -> None:
    own, peer = timed(Rules(precision=1e-6, processes=4, seconds=35.0))
    wide, narrow = ratio_of(peer, own), paired_ratio(peer.samples_s, own.samples_s)
    assert wide.high / wide.low > 1.03
    assert wide.low < narrow.ratio < wide.high
    low, high = time_interval(own)
    assert low < 0.001 < high
    assert high / low > 1.03


def test_a_party_that_failed_once_is_left_out_and_without_qbench_there_is_no_more() -> None:
    whole, alone = sets((0.0,) * 3, [0.0])(), sets((0.0,) * 3, [0.0])()[:1]
    told = iter([whole, alone, whole])
    found = over_processes(lambda: next(told), "qbench", Rules(precision=0.5, processes=3), clock=Clock())
    assert [one.cell for one in found] == ["qbench"]
    broken = iter([whole, whole[1:]])
    found = over_processes(lambda: next(broken), "qbench", Rules(processes=3), clock=Clock())
    assert [one.cell for one in found] == ["peer"]
