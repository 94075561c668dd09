"""What a suite expects of rows, and what rows show of it: bounds by intervals, shares and orders by paired tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from qbench.core.trial import Metric, TrialResult
from qbench.results import SuiteFacts, read_run
from qbench.results.gates.expected import shown, summary
from qbench.results.gates.gate import Gate
from qbench.results.gates.judged import checked
from qbench.results.header import Expected, Ordered

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
KEY, BASE = "speed/resnet20/all/w8c-a8t/mse/s0", "baseline/resnet20/all/w32-a32/none/s0"
BIAS = "speed/resnet20/all/w8c-a8t/mse/bias/s0"


def suite(*expect: Expected) -> dict[str, Any]:
    return {"suite": SuiteFacts(name="mini", text="name: mini\n", sha256="0" * 64, expect=expect)}


def outcomes(make_run: MakeRun, rows: tuple[TrialResult, ...], *expect: Expected) -> list[str]:
    return [one.outcome for one in shown(read_run(make_run("run", *rows, **suite(*expect))))]


@pytest.mark.parametrize(
    ("bound", "outcome"),
    [
        ({"column": "packed_bytes", "most": 1000}, "met"),
        ({"column": "packed_bytes", "most": 999}, "unmet"),
        ({"column": "packed_bytes", "least": 1001}, "unmet"),
        ({"column": "top1_percent", "least": 79}, "met"),  # the interval of the row's score is 80 to 95
        ({"column": "top1_percent", "least": 90}, "unsure"),
        ({"column": "top1_percent", "least": 90, "judge": "value"}, "met"),
        ({"column": "top1_percent", "least": 96}, "unmet"),
        ({"column": "top1_percent", "least": 70, "most": 94}, "unsure"),
        ({"column": "logit_sqnr_db", "least": 1}, "missing"),
        ({"keep": 0.5}, "met"),
        ({"keep": 0.99}, "unsure"),
    ],
)
def test_a_bound_is_held_against_the_interval(
    make_run: MakeRun, make_row: MakeRow, bound: dict[str, Any], outcome: str
) -> None:
    rows = make_row("w32-a32", wrong=29), make_row()
    assert outcomes(make_run, rows, Expected(keys=(KEY,), text="it", **bound)) == [outcome]


@pytest.mark.parametrize(
    ("wrong", "strictly", "outcome"),
    [(70, True, "met"), (31, True, "unsure"), (10, True, "unmet"), (31, False, "met"), (10, False, "unmet")],
)
def test_an_order_is_judged_by_the_paired_test(
    make_run: MakeRun, make_row: MakeRow, wrong: int, strictly: bool, outcome: str
) -> None:
    better = make_row(wrong=30)
    better = replace(better, trial=replace(better.trial, correction="bias"))
    pair = Ordered(worse=KEY, better=BIAS, strictly=strictly)
    assert outcomes(make_run, (make_row(wrong=wrong), better), Expected(text="it", pairs=(pair,))) == [outcome]


@pytest.mark.parametrize(("bytes_", "outcome"), [(999, "unmet"), (1000, "unmet"), (1001, "met")])
def test_an_order_of_a_column_is_one_of_numbers(
    make_run: MakeRun, make_row: MakeRow, bytes_: int, outcome: str
) -> None:
    larger = make_row(metrics={"packed_bytes": Metric(bytes_, "B")})
    larger = replace(larger, trial=replace(larger.trial, correction="bias"))
    pair = Ordered(worse=KEY, better=BIAS, strictly=True)
    asked = Expected(text="it", column="packed_bytes", pairs=(pair,))
    assert outcomes(make_run, (make_row(), larger), asked) == [outcome]


def test_a_share_that_is_lost_is_not_met_and_junit_says_so(make_run: MakeRun, make_row: MakeRow) -> None:
    asked = suite(
        Expected(keys=(KEY,), text="it", keep=0.99),
        Expected(keys=(KEY,), text="small", column="packed_bytes", most=1000),
    )
    run = read_run(make_run("run", make_row("w32-a32", wrong=20), make_row(wrong=120), **asked))
    assert [one.outcome for one in shown(run)] == ["unmet", "met"]
    read = JUnitXml.fromstring(checked(run, Gate(frozenset())).junit().encode())
    assert (read.tests, read.failures) == (2, 1)
    assert [case.classname for part in read for case in part] == ["expect", "expect"]


def test_rows_that_are_not_there_or_not_ok_show_nothing_and_say_why(make_run: MakeRun, make_row: MakeRow) -> None:
    rows = make_row(status="skipped", reason="no kernel"), make_row("w4c-a8t", status="failed", reason="wrong")
    keys = KEY, KEY.replace("w8", "w4"), KEY.replace("w8", "w2")
    expect = Expected(name="small", column="packed_bytes", most=9, keys=keys), Expected(text="3 % of no row")
    run = read_run(make_run("run", *rows, **suite(*expect)))
    assert [one.outcome for one in shown(run)] == ["skipped", "failed", "missing", "missing"]
    assert summary(run) == "expected  1 failed, 2 missing, 1 skipped"
    words = [one.line for one in checked(run, Gate(frozenset())).objections]
    assert len(words) == 4  # the failed row is said once
    assert any("small: no kernel" in line for line in words)
    assert "the run has no such rows" in words[-1]


def test_an_order_is_a_sentence_with_its_interval(make_run: MakeRun, make_row: MakeRow) -> None:
    worse, better = make_row(wrong=90), make_row(wrong=30)
    better = replace(better, trial=replace(better.trial, correction="bias"))
    asked = Expected(pairs=(Ordered(worse=KEY, better=BIAS, strictly=True),), text="it")
    (one,) = shown(read_run(make_run("run", make_row("w32-a32", wrong=20), worse, better, **suite(asked))))
    assert one.text.startswith(f"expected better than {KEY}, got +15.00 points [+")
    assert one.text.endswith("; their intervals against fp32 do not overlap)")
