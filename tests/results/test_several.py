"""Several runs, suites and methods side by side, and baselines in git: the answer first, and under 60 lines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from qbench.core.trial import Metric, TrialResult
from qbench.metrics import pack_bits
from qbench.results import DataFacts, RunState, SuiteFacts, compare_runs, read_run
from qbench.results.compare import compare_several
from qbench.results.duels import duels
from tests.results.conftest import renamed

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
KEY = "speed/resnet20/all/w8c-a8t/mse/s0"


def call(*words: str | Path) -> tuple[Any, str]:
    from qbench.cli import root

    done = CliRunner().invoke(root, [*map(str, words)], standalone_mode=False, env={"COLUMNS": "250"})
    return (done.return_value if done.exception is None else str(done.exception)), done.output


def test_rows_are_matched_across_suites_and_differences_are_shown(make_run: MakeRun, make_row: MakeRow) -> None:
    before = make_run("a", make_row(), make_row("w4c-a8t"), commit="1234567890")
    there = renamed(make_row(wrong=90), sweep="other")
    facts = SuiteFacts(name="wide", text="name: wide\n", sha256="1" * 64)
    after = make_run("b", there, make_row("w2c-a8t"), suite=facts, commit="abcdefabcd+")
    found = compare_runs(read_run(before), read_run(after))
    assert {row.key for row in found.rows} == {KEY}
    assert found.only_before == (KEY.replace("w8", "w4"),)
    assert found.only_after == (KEY.replace("w8", "w2"),)
    code, said = call("compare", before, after)
    assert code == 0
    for line in ("suite: mini before, wide after", "commit: 1234567890 before, abcdefabcd+ after", "WORSE"):
        assert line in said


def test_several_runs_are_corrected_together(make_run: MakeRun, make_row: MakeRow, tmp_path: Path) -> None:
    paths = [make_run(name, make_row(wrong=wrong)) for name, wrong in (("a", 30), ("b", 38), ("c", 30), ("d", 90))]
    runs = [read_run(path) for path in paths]
    alone, together = compare_runs(runs[0], runs[1]), compare_several(runs[0], runs[1:])
    one, three = (next(row for row in found.rows if row.kind == "accuracy") for found in (alone, together[0]))
    assert one.p is not None
    assert three.p is not None
    assert three.p > one.p
    page, xml = tmp_path / "changes.html", tmp_path / "c.xml"
    code, said = call("compare", *paths, "--fail-on", "accuracy", "-o", page, "--junit", xml)
    assert code == 1
    assert said.startswith("b against a: ")
    assert "\nc against a: 2 SAME\n" in said
    assert f"\naccuracy: {KEY}: top1_percent 92.5 before, 90.5 after" in said
    assert page.read_text().count("<table>") == 3
    assert xml.read_text().count("<testsuite ") == 3
    facts = json.loads(call("compare", *paths, "--json", "-")[1])
    assert [len(one["rows"]) for one in facts["comparisons"]] == [2, 2, 2]


def test_the_terminal_stays_under_60_lines(make_run: MakeRun, make_row: MakeRow) -> None:
    def rows(size: int) -> list[TrialResult]:
        row = make_row(metrics={"packed_bytes": Metric(size, "B")}, correct="")
        return [renamed(row, seed=seed) for seed in range(60)]

    paths = [make_run(name, *rows(size)) for name, size in (("a", 1000), ("b", 1001), ("c", 1002))]
    code, said = call("compare", *paths, "--fail-on", "larger")
    assert code == 1
    assert len(said.splitlines()) < 60
    assert "and 100 more rows" in said


def test_methods_are_compared_on_the_same_images(make_run: MakeRun, make_row: MakeRow, tmp_path: Path) -> None:
    def row(spec: str, wrong: int, **changes: str) -> TrialResult:
        return renamed(make_row(spec, wrong=wrong), **changes)

    first = make_run("a", row("w4c-a8t", 90), row("w4c-a8t", 30, correction="both"), row("w2c-a8t", 90))
    second = make_run("b", row("w2c-a8t", 91, correction="both"), row("w4c-a8t", 90, correction="bias"))
    found = {
        (duel.first, duel.second, duel.shared[:2]): duel for duel in duels([*map(read_run, (first, second))], "recipe")
    }
    assert len(found) == 4
    better = found["mse", "mse/both", "w4"]
    assert (better.verdict, better.change) == ("BETTER", 15.0)
    assert better.low < 15 < better.high
    assert better.p < 0.001
    assert found["mse/both", "mse/bias", "w4"].verdict == "WORSE"
    assert found["mse", "mse/bias", "w4"].p == 1.0
    code, said = call("compare", first, second, "--by", "recipe", "-o", tmp_path / "x.md")
    assert code == 0
    assert said.startswith("mse/both against mse: 1 BETTER, 1 UNSURE\n")
    assert "| w4c-a8t | mse | mse/both | +15 points |" in (tmp_path / "x.md").read_text()
    told = json.loads(call("compare", first, second, "--by", "recipe", "--where", "bits == 2", "--json")[1])
    assert [pair["verdict"] for pair in told["pairs"]] == ["UNSURE"]
    call("compare", first, second, "--by", "recipe", "--where", "bits == 2", "--json", tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "recip"), "no field 'recip' of a row; did you mean 'recipe'?"),
        (("--by", "spec"), "no two rows differ in it alone"),
        (("--by", "recipe", "--fail-on", "accuracy"), "what it finds is no gate"),
        (("--where", "bits == 4"), "--where: it goes with --by"),
        (("-o", "x.txt"), "expected a file that ends in .md or .html"),
        ((), "expected a baseline of the suite, found none; `qbench baseline save` makes one"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    make_run: MakeRun,
    make_row: MakeRow,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run("a", make_row())
    assert said in str(call("compare", run, *([run] if "-o" in words else []), *words)[0])


def test_runs_on_other_samples_are_not_compared_by_method(make_run: MakeRun, make_row: MakeRow) -> None:
    other = make_run("b", make_row(), data=DataFacts(name="own", sha256="9" * 64, images=400))
    assert "expected scores on the samples" in str(call("compare", make_run("a", make_row()), other, "--by", "run")[0])


def test_a_baseline_is_two_files_in_git_that_compare_picks(
    make_run: MakeRun, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "repository"
    (place / "deep").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    monkeypatch.chdir(place / "deep")
    good = make_run("good", make_row(), state=RunState(finished=True))
    worse = make_run("worse", make_row(correct=pack_bits(np.arange(400) < 250)))
    code, said = call("baseline", "save", good)
    assert code == 0
    assert "qbench-baselines/mini, " in said
    assert sorted(path.name for path in (place / "qbench-baselines/mini").iterdir()) == ["run.json", "trials.jsonl"]
    assert call("baseline", "compare", good)[0] == 0
    code, said = call("baseline", "compare", worse)
    assert (code, f"\naccuracy: {KEY}: top1_percent" in said) == (1, True)
    assert call("compare", worse)[0] == 0  # nothing is guarded
    assert call("compare", worse, "--fail-on", "accuracy")[0] == 1
    assert "expected a finished run" in str(call("baseline", "save", worse)[0])
    failed = make_run("failed", make_row(status="failed", reason="no"), state=RunState(finished=True))
    assert "1 failed, e.g. speed/" in str(call("baseline", "save", failed)[0])
    assert "there are mini" in str(
        call("baseline", "compare", make_run("x", make_row(), suite=SuiteFacts(name="x")))[0]
    )
    assert call("baseline", "save", good)[0] == 0
