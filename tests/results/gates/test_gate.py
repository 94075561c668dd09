"""A gate is green only when every guarded row is there and holds: planted faults, each named, with its exit code."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.core.trial import Metric, TrialResult
from qbench.metrics import pack_bits
from qbench.results import DataFacts, Run, compare_runs, comparison_markdown, read_run
from qbench.results.gates.gate import Gate, Objection
from qbench.results.gates.verdicts import github_lines, verdicts_json, verdicts_junit

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
Runs = tuple[Run[Any], Run[Any]]
ALL = Gate(frozenset({"slower", "accuracy", "larger"}))
TIMES = (0.001,) * 20


def slow(row: TrialResult) -> TrialResult:
    own, other = row.measurements
    return replace(row, measurements=(replace(own, samples_s=tuple(1.2 * s for s in own.samples_s)), other))


def without(row: TrialResult, name: str) -> TrialResult:
    return replace(row, metrics={key: value for key, value in row.metrics.items() if key != name})


def renamed(row: TrialResult, **changes: str) -> TrialResult:
    return replace(row, trial=replace(row.trial, **changes))


FAULTS: dict[str, tuple[str, Callable[[TrialResult], list[TrialResult]]]] = {
    "the row is gone": ("missing", lambda row: []),
    "another method": ("missing", lambda row: [renamed(row, method="linear_floor")]),
    "another spec": ("missing", lambda row: [renamed(row, spec="w6c-a8t")]),
    "another sweep": ("missing", lambda row: [renamed(row, sweep="times")]),
    "another rounding": ("missing", lambda row: [renamed(row, rounding="gptq")]),
    "another correction": ("missing", lambda row: [renamed(row, correction="bias")]),
    "skipped": ("skipped", lambda row: [replace(row, status="skipped", reason="no format")]),
    "failed": ("failed", lambda row: [replace(row, status="failed", reason="wrong logits")]),
    "failed, and it is new": (
        "failed",
        lambda row: [row, renamed(replace(row, status="failed", reason="no luck"), spec="w2c-a8t")],
    ),
    "a time less": ("missing", lambda row: [replace(row, measurements=())]),
    "a size less": ("missing", lambda row: [without(row, "packed_bytes")]),
    "scores of no sample": ("missing", lambda row: [replace(row, correct="")]),
    "less right": ("accuracy", lambda row: [replace(row, correct=pack_bits(np.arange(400) < 280))]),
    "larger": ("larger", lambda row: [replace(row, metrics={**row.metrics, "packed_bytes": Metric(1001, "B")})]),
    "slower": ("slower", lambda row: [slow(row)]),
}


@pytest.fixture
def good(make_row: MakeRow) -> TrialResult:
    return make_row(times_s=TIMES)


def judged(before: Path, after: Path, gate: Gate = ALL) -> tuple[int, tuple[Objection, ...], Runs]:
    runs = read_run(before), read_run(after)
    comparison = compare_runs(*runs)
    found, questions = gate.objections(*runs, comparison), gate.open_questions(runs[1], comparison)
    return gate.exit_code(found, questions), (*found, *questions), runs


def test_the_same_run_passes(make_run: MakeRun, good: TrialResult) -> None:
    assert judged(make_run("a", good), make_run("b", good))[:2] == (0, ())


@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_named_and_exits_with_1(make_run: MakeRun, good: TrialResult, name: str) -> None:
    word, spoil = FAULTS[name]
    before, after = make_run("a", good), make_run("b", *spoil(good))
    code, found, _ = judged(before, after)
    assert code == 1
    assert word in {one.word for one in found}
    assert all(good.trial.sweep in one.key or one.key.startswith("times") for one in found)
    assert all(one.text for one in found)
    if word in ("missing", "skipped", "failed"):
        allowed = Gate(ALL.words, frozenset({word}))
        assert judged(before, after, allowed)[0] == 0
    assert judged(before, after, Gate(frozenset()))[:2] == (0, ())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"environment": {"cpu_model": "two"}}, "cpu_model: one before, two after"),
        ({"environment": {"cpu_model": "one", "governor": "powersave"}}, "governor: None before, powersave after"),
        ({"unstable": True}, "unstable machine during"),
        ({"data": DataFacts(name="own", sha256="9" * 64, images=400)}, "the runs scored different images"),
        ({"task": "top5"}, "the task was"),
    ],
)
def test_what_cannot_be_judged_has_a_code_of_its_own(
    make_run: MakeRun, good: TrialResult, changes: dict[str, Any], word: str
) -> None:
    before, after = make_run("a", good), make_run("b", good, **changes)
    code, (one,), _ = judged(before, after)
    assert (code, one.word) == (3, "unjudged")
    assert word in one.text
    assert judged(before, after, Gate(ALL.words, unjudged=0))[0] == 0
    assert judged(before, after, Gate(frozenset({"larger"})))[:2] == (0, ())


def test_files_for_machines_hold_every_objection(make_run: MakeRun, good: TrialResult) -> None:
    lost = renamed(good, spec="w4c-a8t")
    code, found, runs = judged(make_run("a", good, lost), make_run("b", slow(good)))
    comparison = compare_runs(*runs)
    facts = json.loads(verdicts_json(runs, comparison, found, code=code))
    assert facts["exit_code"] == 1
    assert [one["word"] for one in facts["objections"]] == ["slower", "missing"]
    assert len(facts["rows"]) == len(comparison.rows)
    root = ET.fromstring(verdicts_junit(runs, comparison, found))
    assert (root.get("tests"), root.get("failures")) == (str(len(comparison.rows) + 1), "2")
    assert {case.get("classname") for case in root.iter("testcase")} == {"time", "accuracy", "size", "missing"}
    assert "**slower** `speed/" in comparison_markdown(*runs, comparison, found)
    lines = github_lines((*found, Objection("unjudged", "a", "100 %\nmore")))
    assert lines[0].startswith("::error title=qbench slower::speed/")
    assert lines[-1] == "::warning title=qbench unjudged::a: 100 %25%0Amore"
