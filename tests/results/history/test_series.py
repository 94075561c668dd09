"""Many runs in order: figures, their steps, the runs that git keeps, and what the terminal and files show of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.report.figures import save_figure
from qbench.report.plots.history import history_plot
from qbench.results.history.runs import runs_of
from qbench.results.history.series import history
from qbench.results.history.tables import history_markdown, step_rows

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]
KEY = "speed/resnet20/all/w8c-a8t/mse/s0"


@pytest.fixture
def ten(make_run: MakeRun, make_row: MakeRow, tmp_path: Path) -> Path:
    """Ten runs on a host that drifts by a third; the seventh is 10 % slower, the fifth worse, the ninth larger."""
    rng = np.random.default_rng(1)
    for place in range(10):
        drift, slower = 1 + 0.3 * rng.random(), 1.1 if place > 5 else 1.0
        row = make_row(
            times_s=tuple(drift * slower * 0.001 * np.exp(0.01 * rng.standard_normal(15))),
            wrong=30 if place < 4 else 70,
            metrics={
                "packed_bytes": Metric(1000 + (place > 7), "B"),
                "top1_percent": Metric(90, "%", "higher", 88, 92),
            },
        )
        own, other = row.measurements
        other = replace(other, samples_s=tuple(drift * time for time in other.samples_s))
        made = f"2026-01-{place + 1:02}T00:00:00Z"
        make_run(f"all/{place}", replace(row, measurements=(own, other)), created_utc=made, commit=f"{place:010}")
    return tmp_path / "all"


def test_steps_are_found_at_their_runs(ten: Path) -> None:
    found = history(*runs_of([ten]))
    steps = {one.quantity: [step.mark for step in one.steps] for one in found.series}
    assert steps == {"images_per_s_b8": [6], "top1_percent": [4], "packed_bytes": [8]}
    (time,) = (one for one in found.series if one.kind == "time")
    assert time.basis == "onnxruntime-fp32"
    assert time.steps[0].change == pytest.approx(1 / 1.1, rel=0.02)
    assert time.steps[0].low < 1 / 1.1 < time.steps[0].high < 1
    assert [row[0] for row in step_rows(found)] == ["4", "6", "8"]  # folders: no repository knows the commits
    assert history(*runs_of([ten]), rows=["spe*"], kinds=["size"]).series[0].steps[0].p is None


def test_times_of_other_machines_and_scores_of_other_samples_are_left_out(make_run: MakeRun, make_row: MakeRow) -> None:
    row = make_row(times_s=(0.001,) * 9)
    paths = [make_run("a", row, environment={"cpu_model": "two"}), make_run("b", row), make_run("c", row, task="top5")]
    found = history(*runs_of(paths[:2]))
    assert {one.kind: len(one.points) for one in found.series} == {"time": 1, "accuracy": 2, "size": 2}
    assert found.remarks == ("times of 1 runs are left out: they ran on another machine than the last one",)
    assert "scores of 2 runs are left out" in history(*runs_of(paths)).remarks[1]


def call(*words: str | Path) -> Result:
    from qbench.cli import root

    return CliRunner().invoke(
        root, ["history", *map(str, words)], standalone_mode=False, env={"COLUMNS": "250"}, catch_exceptions=True
    )


def test_the_terminal_says_steps_first_and_files_hold_all(ten: Path, tmp_path: Path) -> None:
    done = call(ten, "-o", tmp_path / "h.md", "-o", tmp_path / "h.svg")
    assert done.exception is None
    assert done.output.startswith("3 steps in 3 figures of 10 runs, 2026-01-01T00:00:00Z to 2026-01-10T00:00:00Z")
    assert "-9." in done.output
    assert len(done.output.splitlines()) < 60
    assert f"| 6 | {KEY} | images_per_s_b8 against onnxruntime-fp32 |" in (tmp_path / "h.md").read_text()
    assert (tmp_path / "h.svg").read_text().count("<svg") == 1
    facts = json.loads(call(ten, "--json", "--what", "time").output)
    assert [step["mark"] for one in facts["series"] for step in one["steps"]] == [6]


def test_what_is_no_history_is_one_line(ten: Path, tmp_path: Path) -> None:
    for words, said in (
        ((tmp_path / "none",), "found nothing there"),
        ((ten / "0",), "expected two runs or more"),
        ((ten, "--row", "none/*"), "no row matches none/*; e.g. speed/"),
        ((ten, "--what", "tim"), "did you mean 'time'?"),
        ((ten, "--threshold", "-2"), "-2.0 is not in the range x>=0"),
        ((ten, "--git"), "git"),
    ):
        error = call(*words).exception
        assert isinstance(error, Exception)
        assert said in str(error)
    with pytest.raises(ResultsError, match="expected a commit of the repository here"):
        runs_of([ten], by_commit=True)


def test_versions_of_a_run_that_git_keeps_are_a_history(make_run: MakeRun, make_row: MakeRow, tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    def git(*words: str) -> None:
        config = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *config, *words], cwd=kept, check=True, capture_output=True)

    kept.mkdir()
    git("init", "-q")
    for place, wrong in enumerate((20, 20, 80)):
        folder = make_run(f"run{place}", make_row(wrong=wrong))
        (kept / "run.json").write_bytes((folder / "run.json").read_bytes() + b"\n" * place)
        (kept / "trials.jsonl").write_bytes((folder / "trials.jsonl").read_bytes())
        git("add", "-A")
        git("commit", "-q", "-m", f"Make it {place}")
    found = history(*runs_of([kept], kept=True))
    assert [mark.name.split(" ", 1)[1] for mark in found.marks] == ["Make it 0", "Make it 1", "Make it 2"]
    assert [step.mark for one in found.series for step in one.steps] == [2]
    assert "Make it 2" in history_markdown(found)
    save_figure(history_plot(found), tmp_path / "h.png", width_in=6.9, titled=False)
