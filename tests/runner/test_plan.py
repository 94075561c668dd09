"""A plan knows the order, what earlier runs left, and why they were not continued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.trial import TrialResult
from qbench.errors import QBenchError, ResultsError
from qbench.results import MachineFacts, RunWriter, read_run
from qbench.runner import plan_run, run_suite
from qbench.runner.identity import trial_hash
from qbench.runner.plan import run_folders
from qbench.suite import Planned, Suite, load_suite
from tests.results.conftest import with_changes


@pytest.fixture(scope="module")
def finished(suite_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished run."""
    return run_suite(load_suite(suite_path), results_root=tmp_path_factory.mktemp("results"), quick=True)


def copy_of(run: Path, root: Path, *, header: dict[str, object], rows: int | None = None) -> Path:
    """Write a run with changed header fields, and only the first `rows` rows, under `root`."""
    found = read_run(run)
    changed = with_changes(found.header, header)
    folder = root / changed.suite.name / run.name
    with RunWriter.create(folder, changed) as writer:
        for result in found.results[:rows]:
            writer.append(result)
    return folder


def test_the_baseline_comes_first_and_times_come_last(suite: Suite, tmp_path: Path) -> None:
    plan = plan_run(suite, tmp_path)
    first, *rest = plan.jobs
    assert first.trial.sweep == "baseline"
    timed = [job.phase == "time" for job in rest]
    assert timed == sorted(timed)
    assert any(timed)
    assert plan.new == plan.jobs
    assert plan.estimate_s == pytest.approx(sum(job.estimate_s for job in plan.jobs))


def test_an_unfinished_run_is_continued(suite: Suite, finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path, header={"finished": False}, rows=3)
    plan = plan_run(suite, tmp_path, quick=True)
    assert plan.folder == folder
    assert len(plan.cached) == 3
    assert len(plan.new) == len(plan.jobs) - 3


def test_a_finished_run_that_still_holds_is_the_answer(suite: Suite, finished: Path) -> None:
    plan = plan_run(suite, finished.parents[1], quick=True)
    assert plan.folder == finished
    assert plan.new == ()
    assert plan.estimate_s == 0


def test_rows_without_times_are_taken_over_from_a_finished_run(suite: Suite, finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path, header={"finished": True})
    with RunWriter.open(folder) as writer:
        writer.append(replace(read_run(finished).results[1], cache_hash="of older sources"))
    plan = plan_run(suite, tmp_path, quick=True)
    assert plan.folder is None
    assert "1 of its rows no longer hold" in plan.remarks[0]
    assert all(not row.measurements for row in plan.cached.values())
    timed = sum(job.phase == "time" for job in plan.jobs)
    assert len(plan.new) == timed + 1


def test_a_failed_row_is_tried_again_in_the_same_run(suite: Suite, finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path, header={"finished": True})
    last = read_run(finished).results[-1]
    with RunWriter.open(folder) as writer:
        writer.append(TrialResult(last.trial, last.cache_hash, "failed", "out of memory"))
    plan = plan_run(suite, tmp_path, quick=True)
    assert plan.folder == folder
    assert [item.trial.key for item in plan.new] == [last.trial.key]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"sha256": "other"}, "the suite has changed"),
        ({"quick": False}, "it was no quick run"),
        ({"machines": {"other": MachineFacts()}}, "it ran on another machine"),
    ],
)
def test_another_run_is_not_continued_and_the_plan_says_why(
    suite: Suite, finished: Path, tmp_path: Path, header: dict[str, object], reason: str
) -> None:
    copy_of(finished, tmp_path, header={"finished": False, **header})
    plan = plan_run(suite, tmp_path, quick=True)
    assert plan.folder is None
    assert not plan.cached
    assert reason in plan.remarks[0]


def test_a_run_of_another_schema_is_left_alone(suite: Suite, finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path, header={"finished": False})
    (folder / "run.json").write_text('{"schema_version": 99}')
    plan = plan_run(suite, tmp_path, quick=True)
    assert plan.folder is None
    assert "schema version" in plan.remarks[0]


def test_a_damaged_row_of_the_run_to_continue_is_an_error(suite: Suite, finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path, header={"finished": False})
    (folder / "trials.jsonl").write_text("not json\n")
    with pytest.raises(ResultsError, match=r"trials\.jsonl:1"):
        plan_run(suite, tmp_path, quick=True)


def test_the_newest_run_comes_first(finished: Path, tmp_path: Path) -> None:
    for name in ("20260101T000000Z-a", "20270101T000000Z-b", "20260601T000000Z-c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "no-run").mkdir()
    assert [path.name[:6] for path in run_folders(tmp_path)] == ["202701", "202606", "202601"]
    assert run_folders(tmp_path / "missing") == []


def hash_of(item: Planned, suite: Suite, *, model: str = "m", data: str = "d", quick: bool = True) -> str:
    return trial_hash(item, suite, model_sha256=model, data_sha256=data, machine="here", quick=quick)


def test_a_hash_covers_what_the_row_depends_on(planned: dict[str, Planned], suite: Suite) -> None:
    item = planned["bits/w8c-a8t"]
    same = hash_of(item, suite)
    assert same == hash_of(item, suite)
    others = [
        hash_of(item, suite, model="n"),
        hash_of(item, suite, data="e"),
        hash_of(replace(item, trial=replace(item.trial, calibration=8)), suite),
        hash_of(replace(item, trial=replace(item.trial, method="mse")), suite),
        hash_of(replace(item, trial=replace(item.trial, variant="portable")), suite),
        hash_of(replace(item, trial=replace(item.trial, overrides="last=w4c-a8t")), suite),
        hash_of(replace(item, trial=replace(item.trial, correction="bias")), suite),
        hash_of(item, suite.model_copy(update={"data_limit": 7})),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_only_timed_rows_depend_on_how_they_are_timed(planned: dict[str, Planned], suite: Suite) -> None:
    faster = suite.model_copy(update={"threads": 1})
    for name, changes in {"bits/w8c-a8t": False, "speed/w8c-a8t": True}.items():
        assert (hash_of(planned[name], suite) != hash_of(planned[name], faster)) is changes
        assert (hash_of(planned[name], suite) != hash_of(planned[name], suite, quick=False)) is changes


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("calibration.samples=100000", "calibration samples, got 100000"),
        ("threads=4096", r"threads: expected 1\.\.\d+ on this machine, got 4096"),
        ("sweeps.0.variant=x86_foo", "unknown kernel variant 'x86_foo'"),
    ],
)
def test_what_no_trial_could_run_with_is_refused_before_anything_is_written(
    tmp_path: Path, override: str, message: str
) -> None:
    suite = load_suite(Path(__file__).parents[2] / "suites" / "tiny.yaml", overrides=[override])
    with pytest.raises(QBenchError, match=message):
        plan_run(suite, tmp_path)
    assert not list(tmp_path.iterdir())
