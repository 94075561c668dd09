"""Planted faults, each by the command line: which row the gate names, by which word, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from qbench.core.cells.product import GemmProblem, KernelCell
from qbench.core.cells.result import CEILING, OWN, KernelResult, KernelTrial, PartyRow
from qbench.core.trial import Measurement, Metric, TrialResult
from qbench.metrics import pack_bits
from qbench.results import DataFacts, SuiteFacts
from qbench.results.header import Expected, KernelBar, Ordered
from tests.results.conftest import renamed, slower

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
Spoil = Callable[[TrialResult], list[TrialResult]]
KEY = "speed/resnet20/all/w8c-a8t/mse/s0"
TIMES = (0.001,) * 20


def without(row: TrialResult, name: str) -> TrialResult:
    return replace(row, metrics={key: value for key, value in row.metrics.items() if key != name})


def scored(row: TrialResult, right: int) -> TrialResult:
    return replace(row, correct=pack_bits(np.arange(400) < right))


def sized(row: TrialResult, size: int) -> TrialResult:
    return replace(row, metrics={**row.metrics, "packed_bytes": Metric(size, "B")})


def expecting(**expected: Any) -> dict[str, Any]:
    asked = Expected(text="it", **({"keys": (KEY,)} | expected))
    return {"suite": SuiteFacts(name="mini", text="name: mini\n", sha256="0" * 64, expect=(asked,))}


ROWS: dict[str, tuple[int, str, Spoil]] = {
    "nothing": (0, "", lambda row: [row]),
    "the row is gone": (1, f"missing: {KEY}", lambda row: []),
    "another method": (1, f"missing: {KEY}", lambda row: [renamed(row, method="linear_floor")]),
    "another spec": (1, f"missing: {KEY}", lambda row: [renamed(row, spec="w6c-a8t")]),
    "another sweep": (1, f"missing: {KEY}", lambda row: [renamed(row, sweep="times")]),
    "another rounding": (1, f"missing: {KEY}", lambda row: [renamed(row, rounding="gptq")]),
    "another network": (1, f"missing: {KEY}", lambda row: [renamed(row, model="resnet56")]),
    "skipped": (1, f"skipped: {KEY}: no", lambda row: [replace(row, status="skipped", reason="no")]),
    "failed": (1, f"failed: {KEY}: no", lambda row: [replace(row, status="failed", reason="no")]),
    "a new row failed": (
        1, "failed: speed/resnet20/all/w2c-a8t",
        lambda row: [row, renamed(replace(row, status="failed", reason="no"), spec="w2c-a8t")],
    ),
    "a time less": (1, f"missing: {KEY}: images_per_s_b8", lambda row: [replace(row, measurements=())]),
    "a size less": (1, f"missing: {KEY}: packed_bytes", lambda row: [without(row, "packed_bytes")]),
    "scores of no sample": (1, f"missing: {KEY}: top1_percent", lambda row: [replace(row, correct="")]),
    "less right": (1, f"accuracy: {KEY}: top1_percent", lambda row: [scored(row, 280)]),
    "a byte larger": (1, f"larger: {KEY}: packed_bytes", lambda row: [sized(row, 1001)]),
    "slower": (1, f"slower: {KEY}: images_per_s_b8", lambda row: [slower(row)]),
}  # fmt: skip
"""Fault -> exit code, the line that names it, and the second run's rows."""

RUNS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "another machine": (3, "unjudged: 1 times: cpu_model: one", {"environment": {"cpu_model": "two"}}),
    "a machine that was not steady": (3, "unjudged: 1 times: unstable", {"unstable": True}),
    "other samples": (
        3, "unjudged: scores: the runs scored different", {"data": DataFacts(name="own", sha256="9" * 64, images=400)},
    ),
    "another task": (3, "unjudged: scores: the task was", {"task": "top5"}),
    "too large for the suite": (1, f"expect: {KEY}: expected packed_bytes", expecting(column="packed_bytes", most=999)),
    "too little right for the suite": (1, f"expect: {KEY}", expecting(column="top1_percent", least=96)),
    "not to be told": (3, f"unjudged: {KEY}", expecting(column="top1_percent", least=90)),
    "the share of fp32 is not kept": (1, f"missing: {KEY}: expected 99 %", expecting(keep=0.99)),
    "an expected row is not there": (1, "missing: none", expecting(column="packed_bytes", most=2000, keys=("none",))),
    "an expectation of no row": (1, "missing: it", expecting(column="packed_bytes", most=2000, keys=())),
    "an order the wrong way round": (
        1, f"expect: {KEY}: expected more packed_bytes",
        expecting(column="packed_bytes", keys=(), pairs=(Ordered(worse=KEY, better=KEY, strictly=True),)),
    ),
}  # fmt: skip
"""Fault -> exit code, the line that names it, and the second run's header."""


def call(*words: str | Path) -> tuple[int, str]:
    from qbench.cli import root

    done = CliRunner().invoke(root, [*map(str, words)], standalone_mode=False, env={"COLUMNS": "250"})
    assert done.exception is None, done.exception
    return done.return_value, done.output


def compare(before: Path, after: Path, *words: str) -> tuple[int, str]:
    return call("compare", before, after, "--fail-on", "slower,accuracy,larger", *words)


@pytest.mark.parametrize("fault", [*ROWS, *RUNS])
def test_every_planted_fault_is_named_with_its_exit_code(make_run: MakeRun, make_row: MakeRow, fault: str) -> None:
    good = make_row(times_s=TIMES)
    code, line, spoil = ROWS.get(fault, (0, "", lambda row: [row]))
    code, line, header = RUNS.get(fault, (code, line, {}))
    before, after = make_run("a", good), make_run("b", *spoil(good), **header)
    found, said = compare(before, after)
    assert found == code, said
    assert line in said
    if code == 3:
        assert compare(before, after, "--soft")[0] == 0
        assert compare(before, after, "--soft", "7")[0] == 7
    word = line.partition(":")[0]
    if word in ("missing", "skipped", "failed", "expect"):
        assert compare(before, after, "--allow", word)[0] == 0
    if fault in RUNS and "expected" in line:
        assert call("check", after)[0] == code


def test_a_gate_that_can_guard_nothing_is_not_green(make_run: MakeRun, make_row: MakeRow) -> None:
    alone = make_row()
    found, said = compare(make_run("a", alone), make_run("b", alone))
    assert found == 1
    assert "missing: --fail-on slower: " in said
    done = CliRunner().invoke(_root(), ["check", str(make_run("c", alone))], standalone_mode=False)
    assert "expected a suite with the key 'expect' or 'bars'" in str(done.exception)


def _root() -> Any:
    from qbench.cli import root

    return root


def test_a_bar_that_is_not_met_is_named(make_run: MakeRun) -> None:
    trial = KernelTrial("gemm", (), 1, KernelCell(GemmProblem(4, 16, 16), "w8c-a8t", "u8"))
    cells = (Measurement(trial.key, OWN, (0.002,) * 9, 1, 1), Measurement(trial.key, CEILING, (0.001,) * 9, 1, 1))
    row = KernelResult(trial, "hash", "ok", operations=9, parties=(PartyRow(OWN),), measurements=cells)
    bar = KernelBar(name="near the ceiling", against=CEILING, mean=0.9, threads=1, keys=(trial.key,))
    facts = SuiteFacts(name="mini", sha256="0" * 64, bars=(bar,))
    before, after = (make_run(name, row, kind="kernels", suite=facts) for name in "ab")
    found, said = call("compare", before, after, "--fail-on", "slower")
    assert (found, "bars: near the ceiling: expected a mean of 0.9" in said) == (1, True)
    assert call("compare", before, after, "--fail-on", "slower", "--allow", "bars")[0] == 0
    assert call("check", after)[0] == 1
    code, said = call("check", after, "--allow", "bars")
    assert (code, said) == (0, "0 hold, 0 do not, 0 cannot be told\n")


@pytest.mark.parametrize(("flipped", "word", "code"), [(1, "SAME", 0), (40, "WORSE", 1)])
def test_one_flipped_image_of_2000_is_the_same_and_2_percent_are_worse(
    make_run: MakeRun, make_row: MakeRow, flipped: int, word: str, code: int
) -> None:
    data = DataFacts(name="own", sha256="9" * 64, images=2000)
    rows = [make_row(correct=pack_bits(np.arange(2000) < right)) for right in (1800, 1800 - flipped)]
    before, after = (make_run(name, row, data=data) for name, row in zip("ab", rows, strict=True))
    found, said = call("compare", before, after, "--fail-on", "accuracy", "--json", "-")
    (verdict,) = (row["verdict"] for row in json.loads(said)["rows"] if row["kind"] == "accuracy")
    assert (verdict, found) == (word, code)


def test_check_says_what_holds_where_it_is_asked(make_run: MakeRun, make_row: MakeRow) -> None:
    run = make_run("held", make_row(), **expecting(column="packed_bytes", most=1000))
    assert f"holds: {KEY}: expected packed_bytes at most 1000" in call("check", run, "-v")[1]
    assert "holds:" not in call("check", run)[1]
