"""What stands on the terminal: the bar, the lines without one, the summary, closed pipes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from qbench.cli.kind import words_of
from qbench.cli.terminal.progress import Watch
from qbench.cli.terminal.style import duration, print_fitting, result_line
from qbench.cli.terminal.summary import show_summary
from qbench.results import read_run

MakeRun = Callable[..., Path]


def fake_plan(keys: list[str]) -> Any:
    return SimpleNamespace(
        new=[SimpleNamespace(trial=SimpleNamespace(key=key), estimate_s=2.0) for key in keys],
        cached={"old": None},
        estimate_s=2.0 * len(keys),
        remarks=("r",),
    )


def test_without_a_terminal_every_trial_is_a_line(make_run: MakeRun) -> None:
    rows = read_run(make_run("a")).results
    console = Console(file=StringIO(), force_terminal=False, width=200)
    with Watch(console, words_of("network")) as watch:
        watch.on_start(fake_plan([row.trial.key for row in rows]))
        for row in rows:
            watch.on_trial_start(row.trial)
            watch.on_trial_end(row)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "2 trials to run, 1 cached, about 4.0 s"
    assert lines[2].startswith("[1/2] ok      baseline/resnet20/all/w32-a32/none/s0  95.00 %  8,000 images/s")
    assert lines[3].startswith("[2/2] ok      speed/")


def test_on_a_terminal_only_failures_are_lines_above_the_bar(make_run: MakeRun) -> None:
    rows = read_run(make_run("a")).results
    failed = replace(rows[1], status="failed", reason="no luck")
    console = Console(file=StringIO(), force_terminal=True, width=200)
    with Watch(console, words_of("network")) as watch:
        watch.on_start(fake_plan([row.trial.key for row in rows]))
        watch.on_phase("checking")
        for row in (rows[0], failed):
            watch.on_trial_start(row.trial)
            watch.on_trial_end(row)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[2/2] failed  speed/resnet20/all/w8c-a8t/mse/s0: no luck" in text
    assert "[1/2]" not in text
    assert "2/2" in text
    assert watch.failed == 1


def test_the_time_left_is_the_estimate_at_the_pace_so_far(make_run: MakeRun) -> None:
    rows = read_run(make_run("a")).results
    watch = Watch(Console(file=StringIO()), words_of("network"))
    watch.on_start(fake_plan([row.trial.key for row in rows]))
    assert watch.left_s(1.0) is None
    watch.on_trial_end(rows[0])
    assert watch.left_s(6.0) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.84, "0.8 s"), (45.2, "45 s"), (250.0, "4 min 10 s"), (7500.0, "2 h 5 min")]
)
def test_a_duration_is_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_skipped_row_is_a_line_with_its_reason(make_run: MakeRun) -> None:
    (row, _) = read_run(make_run("a")).results
    skipped = replace(row, status="skipped", reason="mse has none")
    assert result_line(skipped) == "skipped baseline/resnet20/all/w32-a32/none/s0: mse has none"


def test_the_summary_shows_times_and_counts(make_run: MakeRun) -> None:
    console = Console(file=StringIO(), width=200)
    show_summary(console, read_run(make_run("a")), verbose=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "x onnxruntime-fp32" in text
    assert "8,000" in text
    assert text.splitlines()[-1] == "2 ok"


def test_the_summary_says_once_which_peer_was_left_out(make_run: MakeRun) -> None:
    console, run = Console(file=StringIO(), width=200), read_run(make_run("a"))
    remarks = ("weights are seeded", "not timed: openvino-int8: logits are 4 dB from fp32's")
    show_summary(console, replace(run, results=tuple(replace(row, notes=remarks) for row in run.results)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("not timed") == 1
    assert "not timed: openvino-int8: logits are 4 dB from fp32's (2 rows)" in text


def test_a_closed_pipe_is_quiet() -> None:
    code = "import sys; sys.argv = ['qbench', 'list', 'metrics']; from qbench.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize("width", [68, 80, 100, 200])
def test_a_table_that_does_not_fit_drops_columns_and_breaks_no_word(width: int) -> None:
    console = Console(file=StringIO(), width=width)
    rows = [("8", "w8c-a8t mse", "277 kB", "92.55 %", "-0.10 [-0.35 ... 0.15]", "kept", "4.05", "1.23")]
    headings = ("bits", "row", "size", "score", "lost", "target", "x fp32", "x int8")
    print_fitting(console, rows, headings=headings, drop=("score", "target", "size"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "w8c-a8t mse" in text
    assert "-0.10 [-0.35 ... 0.15]" in text
    assert ("277 kB" in text) == (width > 75)
    assert ("left out for want of width" in text) == (width < 90)
    assert max(map(len, text.splitlines())) <= width
