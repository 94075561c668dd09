"""Which rows are worth a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.trial import Metric, TrialResult
from qbench.results import read_run
from qbench.results.front import front, worth_timing

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


def test_the_front_holds_what_nothing_smaller_beats() -> None:
    rows = [(3, 90), (1, 50), (2, 40), (3, 80), (4, 90), (5, 91)]
    assert front(rows, size=lambda row: row[0], merit=lambda row: row[1]) == [(1, 50), (3, 90), (5, 91)]


@pytest.mark.parametrize(
    ("most", "expected"), [(0, []), (1, ["w5c-a8t"]), (9, ["w5c-a8t", "w6c-a8t", "w3c-a8t", "w2c-a8t"])]
)
def test_rows_that_keep_come_first_and_timed_ones_not_at_all(
    make_row: MakeRow, make_run: MakeRun, most: int, expected: list[str]
) -> None:
    def made(spec: str, wrong: int, packed: int, **changes: object) -> TrialResult:
        row = make_row(spec, wrong=wrong, **changes)
        score = Metric(100 - wrong / 4, "%", "higher")
        return replace(row, metrics={"top1_percent": score, "packed_bytes": Metric(packed, "B")})

    rows = [
        make_row("w32-a32", wrong=20),
        made("w8c-a8t", 16, 800, times_s=(0.001,) * 6),
        made("w7c-a8t", 30, 700),  # a smaller one is better
        made("w6c-a8t", 19, 600),
        made("w5c-a8t", 20, 500),
        made("w4c-a8t", 18, 400, execution="simulated"),
        made("w3c-a8t", 90, 300),
        made("w2c-a8t", 200, 200),
    ]
    assert [row.trial.spec for row in worth_timing(read_run(make_run("run", *rows)), most)] == expected
