"""What a gate finds as files for machines: JSON, JUnit that a reader of its own reads back, GitHub's lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from junitparser import Failure, JUnitXml

from qbench.core.trial import TrialResult
from qbench.results import Run, compare_runs, comparison_markdown, read_run
from qbench.results.gates.gate import Gate, Objection, seen
from qbench.results.gates.verdicts import github_lines, verdicts_facts, verdicts_junit
from tests.results.conftest import renamed, slower

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
Runs = tuple[Run[Any], Run[Any]]
ALL = Gate(frozenset({"slower", "accuracy", "larger"}))
TIMES = (0.001,) * 20


@pytest.fixture
def good(make_row: MakeRow) -> TrialResult:
    return make_row(times_s=TIMES)


def judged(before: Path, after: Path, gate: Gate = ALL) -> tuple[int, tuple[Objection, ...], Runs]:
    runs = read_run(before), read_run(after)
    comparison = compare_runs(*runs)
    shows = seen(runs[1])
    found, questions = gate.objections(*runs, comparison, shows), gate.open_questions(shows, comparison)
    return gate.exit_code(found, questions), (*found, *questions), runs


def test_the_same_run_passes(make_run: MakeRun, good: TrialResult) -> None:
    assert judged(make_run("a", good), make_run("b", good))[:2] == (0, ())


def test_files_for_machines_hold_every_objection(make_run: MakeRun, good: TrialResult) -> None:
    lost = renamed(good, spec="w4c-a8t")
    code, found, runs = judged(make_run("a", good, lost), make_run("b", slower(good)))
    comparison = compare_runs(*runs)
    facts = verdicts_facts(runs, comparison, found)
    assert code == 1
    assert [one["word"] for one in facts["objections"]] == ["slower", "missing"]
    assert len(facts["rows"]) == len(comparison.rows)
    read = JUnitXml.fromstring(verdicts_junit([(runs, comparison, found)]).encode())
    assert (read.tests, read.failures, read.skipped, read.errors) == (len(comparison.rows) + 1, 2, 0, 0)
    cases = [case for suite in read for case in suite]
    assert {case.classname for case in cases} == {"time", "accuracy", "size", "missing"}
    failed = [case.result[0] for case in cases if case.result]
    assert all(isinstance(one, Failure) for one in failed)
    assert failed[0].message.startswith("images_per_s_b8 8000 before")
    assert "**slower** `speed/" in comparison_markdown(*runs, comparison, found)
    lines = github_lines((*found, Objection("unjudged", "a", "100 %\nmore")))
    assert lines[0].startswith("::error title=qbench slower::speed/")
    assert lines[-1] == "::warning title=qbench unjudged::a: 100 %25%0Amore"
