"""The whole path on `suites/tiny.yaml`: every row, every file, and the same table after kills at random moments."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from qbench.results import read_run
from qbench.results.front import asked_of_network
from qbench.results.index import frame
from qbench.runner import plan_run, run_suite
from qbench.suite import load_suite
from tests.end_to_end.listener import Listener

SUITE = Path(__file__).parents[2] / "suites" / "tiny.yaml"
CLOCKED = ("phase_", "images_per_s", "latency", "gops", "ceiling", "speedup")
pytestmark = pytest.mark.xdist_group("tiny")
RUN = """
import sys
from pathlib import Path
from qbench.runner import run_suite
from qbench.suite import load_suite
run_suite(load_suite(Path(sys.argv[1])), results_root=Path(sys.argv[2]), quick=True)
"""


def table(folder: Path) -> pd.DataFrame:
    """Return the run's table without what a clock has touched."""
    found = frame(read_run(folder)).sort_values("key", ignore_index=True)
    return found[sorted(name for name in found.columns if not name.startswith(CLOCKED))]


def test_every_trial_of_the_suite_has_a_row_and_none_failed(tiny_run: tuple[Path, Listener]) -> None:
    folder, listener = tiny_run
    run = read_run(folder)
    planned = {item.trial.key for item in listener.plans[0].jobs}
    assert {row.trial.key for row in run.results} == {*planned, *listener.more}
    assert [row.reason for row in run.results if row.status == "failed"] == []
    assert all(row.reason for row in run.results if row.status == "skipped")


def test_the_run_is_finished_and_has_all_its_files(tiny_run: tuple[Path, Listener]) -> None:
    folder, _ = tiny_run
    header = read_run(folder).header
    assert header.state.finished
    assert header.state.seconds > 0
    assert header.machine.versions["python"]
    assert header.machine.environment["cpu_model"]
    for name in ("run.json", "trials.jsonl", "table.csv", "table.md", "trials.parquet"):
        assert (folder / name).stat().st_size > 0
    assert (folder.parent / "latest" / "table.md").samefile(folder / "table.md")


def test_the_first_row_is_fp32_and_loses_nothing(tiny_run: tuple[Path, Listener]) -> None:
    first = read_run(tiny_run[0]).results[0]
    assert (first.trial.spec, first.status) == ("w32-a32", "ok")
    assert first.metrics["top1_drop_points"].value == pytest.approx(0.0, abs=0.2)
    assert (first.metrics["logit_sqnr_db"].value or 999.0) > 60


def test_rows_keep_their_samples_scores_and_sizes(tiny_run: tuple[Path, Listener]) -> None:
    for row in read_run(tiny_run[0]).results:
        if row.status != "ok":
            continue
        assert {"top1_percent", "packed_bytes", "bits_per_weight"} <= set(row.metrics)
        assert row.correct
        assert row.phases_s["score"] > 0
        timed = [group for group in row.measurements if group.group.startswith("network/")]
        assert {group.group for group in timed} <= {f"network/batch{batch}" for batch in row.trial.batch_sizes}
        assert all(len(group.samples_s) >= 6 and group.stop for group in timed)


def test_the_observer_hears_of_every_trial_in_order(tiny_run: tuple[Path, Listener]) -> None:
    _, listener = tiny_run
    assert listener.started == [row.trial.key for row in listener.ended]
    assert listener.started == [*(item.trial.key for item in listener.plans[0].jobs), *listener.more]
    assert "checking the fp32 baseline" in listener.phases


def test_the_best_row_that_no_sweep_timed_is_timed_when_all_are_scored(tiny_run: tuple[Path, Listener]) -> None:
    folder, listener = tiny_run
    (key,) = listener.more
    run = read_run(folder)
    (row,) = (row for row in run.results if row.trial.key == key)
    others = [asked_of_network(other.trial) for other in run.results if other is not row and other.measurements]
    assert (row.trial.sweep, row.status) == ("winners", "ok")
    assert row.measurements
    assert asked_of_network(row.trial) not in others


def test_a_second_run_has_nothing_to_do(tiny_run: tuple[Path, Listener]) -> None:
    folder, _ = tiny_run
    listener = Listener()
    again = run_suite(load_suite(SUITE), results_root=folder.parents[1], quick=True, observer=listener)
    assert again == folder
    assert listener.started == []
    assert plan_run(load_suite(SUITE), folder.parents[1], quick=True).new == ()


def test_a_fresh_run_and_a_run_that_is_not_quick_take_nothing_over(tiny_run: tuple[Path, Listener]) -> None:
    root = tiny_run[0].parents[1]
    for plan in (
        plan_run(load_suite(SUITE), root, quick=True, fresh=True),
        plan_run(load_suite(SUITE), root, quick=False),
    ):
        assert plan.folder is None
        assert not plan.cached
        assert plan.estimate_s > 0


def test_a_change_of_a_rows_inputs_runs_that_row_again(tiny_run: tuple[Path, Listener], tmp_path: Path) -> None:
    folder, listener = tiny_run
    copy = tmp_path / folder.parent.name / folder.name
    copy.mkdir(parents=True)
    (copy / "run.json").write_text((folder / "run.json").read_text())
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    rows[1]["cache_hash"] = "of other sources"
    (copy / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = plan_run(load_suite(SUITE), tmp_path, quick=True)
    keys = {item.trial.key for item in plan.new}
    timed = {row.trial.key for row in read_run(copy).results if row.measurements} - {*listener.more}
    assert plan.folder is None
    assert keys == {read_run(copy).results[1].trial.key} | timed


def rows_written(root: Path) -> int:
    """Return how many whole rows the runs under `root` hold."""
    return sum(path.read_bytes().count(b"\n") for path in root.glob("*/*/trials.jsonl"))


def kill_after(command: list[str], root: Path, *, rows: int, delay_s: float) -> None:
    """Start a run and kill it so long after it (or an earlier one) has written so many rows."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while rows_written(root) < rows and process.poll() is None:
        time.sleep(0.01)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()


def check_kills(undisturbed: Path, root: Path, count: int) -> None:
    """Kill runs at `count` random moments, let one end, and compare."""
    command = [sys.executable, "-c", RUN, str(SUITE), str(root)]
    generator, rows = random.Random(20), len(read_run(undisturbed).results)
    for moment in sorted(generator.randrange(rows) for _ in range(count)):
        kill_after(command, root, rows=moment, delay_s=generator.uniform(0.0, 0.5))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = read_run(root / load_suite(SUITE).name)
    pd.testing.assert_frame_equal(table(run.folder), table(undisturbed))
    assert run.header.state.finished
    lines = (run.folder / "trials.jsonl").read_text().splitlines()
    assert len(lines) == len(run.results), "a finished trial was run twice"


def test_two_kills_and_a_rerun_end_with_the_same_table(tiny_run: tuple[Path, Listener], tmp_path: Path) -> None:
    check_kills(tiny_run[0], tmp_path, 2)


@pytest.mark.slow
def test_twenty_kills_and_a_rerun_end_with_the_same_table(tiny_run: tuple[Path, Listener], tmp_path: Path) -> None:
    check_kills(tiny_run[0], tmp_path, 20)
