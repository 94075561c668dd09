"""Planted delays: what is said of them is counted by what was planted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from qbench.metrics.speed import Verdict
from qbench.results.replicates import judge_rows
from qbench.runner.sides.contest import Asked, ContestRow, Outcome
from qbench.runner.sides.selftest import Tally, selftest, tally_lines
from qbench.runner.sides.side import Side
from qbench.runner.timing.clock import Clock
from tests.runner.conftest import FakeTime


def test_verdicts_are_counted_by_what_was_planted(fake_time: FakeTime, clock: Clock) -> None:
    """A comparison that sees every delay exactly: all of 5 and 10 % is SLOWER, all else SAME."""

    def compare(first: Side, second: Side, asked: Asked) -> Outcome:
        fake_time.now_ns += 20_000_000_000
        keys = [f"row{number}" for number in range(40)]
        shifts = [-math.log1p(asked.slow(key) or 0.0) for key in keys]
        judged = judge_rows([[shift + noise for noise in (-1e-3, 0.0, 1e-3)] for shift in shifts])
        rows = [ContestRow(key, 1.0, 1.0, one, same_answer=True) for key, one in zip(keys, judged, strict=True)]
        assert first == second
        return Outcome(tuple(rows), (), (), {}, 20.0)

    told: list[str] = []
    tallies = selftest(Path("suite.yaml"), seconds=121.0, tell=told.append, clock=clock, compare=compare)
    assert [(one.planted, one.noisy) for one in tallies] == [
        (planted, noisy) for noisy in (False, True) for planted in (0.0, 0.05, 0.10)
    ]
    assert len(told) == 6  # three of 20 s in each minute
    assert sum(one.count for one in tallies) == 240
    for one in tallies:
        assert one.verdicts == {"SLOWER" if one.planted else "SAME": one.count}
        assert one.false == 0


@pytest.mark.parametrize(
    ("planted", "word", "false"),
    [
        (0.0, "SLOWER", 3),
        (0.0, "FASTER", 3),
        (0.0, "SAME", 0),
        (0.05, "SAME", 3),
        (0.05, "SLOWER", 0),
        (0.1, "UNSURE", 0),
    ],
)
def test_what_is_false_depends_on_what_was_planted(planted: float, word: Verdict, false: int) -> None:
    tally = Tally(planted, noisy=True)
    tally.verdicts[word] = 3
    assert (tally.count, tally.false) == (3, false)
    assert tally_lines([tally])[-1].endswith(f" {false} |")
