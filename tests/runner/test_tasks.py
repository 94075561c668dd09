"""Whole runs by other tasks than top-1, and by a task and a metric that another package brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qbench.errors import DataError, SuiteError
from qbench.metrics import METRICS, load_task, unpack_scores
from qbench.metrics.task import stored_scores
from qbench.report import write_report
from qbench.results import compare_runs, frame, read_run, write_tables
from qbench.results.reader import NetworkRun
from qbench.runner import run_suite
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.suite import load_suite

SUITE = """
name: tasks
model: {model}
data: {data}
data_limit: 80
calibration: {{samples: 16}}
timing: {{batch_sizes: 8, precision: 0.5, seconds_a_cell: 0.02, references: [onnxruntime-fp32]}}
{task}
sweeps:
  - {{name: bits, spec: [w8c-a8t, w3c-a8t], method: [minmax, linear_floor]}}
  - {{name: alone, layers: [stem, classifier], scope: weights, bits: 2, method: mse}}
"""
SPEED = "  - {name: speed, spec: w8c-a8t, method: mse, measure: [accuracy, speed]}\n"
UNLABELLED = {"model": "mobilenet_v2_32-seeded", "data": "smooth-32"}
Run = Callable[..., NetworkRun]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def make(task: str = "", *, more: str = "", model: str = "resnet20", data: str = "cifar10-shard") -> NetworkRun:
        folder = tmp_path_factory.mktemp("tasks")
        text = SUITE.format(model=model, data=data, task=task) + more
        (folder / "tasks.yaml").write_text(text if model == "resnet20" else text.replace("  - {name: alone", "#"))
        return read_run(run_suite(load_suite(folder / "tasks.yaml"), results_root=folder, quick=True))

    return make


@pytest.fixture(scope="module")
def top1(run: Run) -> NetworkRun:
    return run(more=SPEED)


@pytest.fixture(scope="module")
def top5(run: Run) -> NetworkRun:
    return run("target: {metric: top5, keep: 0.9}")


@pytest.fixture(scope="module")
def cross_entropy(run: Run) -> NetworkRun:
    return run("task: cross_entropy\ntarget: {keep: 0.8}")


@pytest.fixture(scope="module")
def fidelity(run: Run) -> NetworkRun:
    return run(**UNLABELLED)


def test_each_metric_of_the_table_is_in_some_row(
    top1: NetworkRun, cross_entropy: NetworkRun, fidelity: NetworkRun
) -> None:
    tables = [frame(run) for run in (top1, cross_entropy, fidelity)]
    columns = {name for table in tables for name in table.columns if table[name].notna().any()}
    made = {name for name in METRICS if any(column == name or column.startswith(f"{name}_") for column in columns)}
    assert made == set(METRICS)


def test_top5_is_scored_tested_and_held_to_its_target(top1: NetworkRun, top5: NetworkRun) -> None:
    table, first = frame(top5).set_index("key"), frame(top1).set_index("key")
    assert top5.header.suite.task == "top5"
    assert "top1_percent" not in table
    assert np.all(table["top5_percent"] >= first.loc[table.index, "top1_percent"])
    row = table.loc["bits/resnet20/all/w3c-a8t/linear_floor/s0"]
    assert row["top5_drop_points"] > 5
    assert row["mcnemar_p"] < 0.05
    assert row["target"] == "lost"
    assert table.loc["bits/resnet20/all/w8c-a8t/minmax/s0", "target"] == "kept"


def test_cross_entropy_rises_where_bits_fall(cross_entropy: NetworkRun) -> None:
    table = frame(cross_entropy).set_index("key")
    fp32 = table.loc["baseline/resnet20/all/w32-a32/none/s0"]
    low = table.loc["bits/resnet20/all/w3c-a8t/linear_floor/s0"]
    assert low["cross_entropy_rise_nats"] == pytest.approx(low["cross_entropy_nats"] - fp32["cross_entropy_nats"])
    assert low["cross_entropy_rise_nats_low"] > 0
    assert low["permutation_p"] < 0.01
    assert low["kept_percent"] < 50
    assert low["target"] == "lost"
    assert fp32["cross_entropy_rise_nats"] == 0.0
    stored = next(row for row in cross_entropy.results if row.trial.key == low.name)
    assert stored.correct == ""
    assert float(np.mean(unpack_scores(stored.scores, 80))) == pytest.approx(low["cross_entropy_nats"])


def test_images_without_labels_are_scored_one_by_one(fidelity: NetworkRun) -> None:
    table = frame(fidelity).set_index("key")
    assert fidelity.header.suite.task == "fidelity"
    eight, three = (table.loc[f"bits/mobilenet_v2_32-seeded/all/w{bits}c-a8t/minmax/s0"] for bits in (8, 3))
    assert eight["sample_sqnr_db_low"] > three["sample_sqnr_db_high"]
    assert eight["sample_sqnr_db_low"] < eight["sample_sqnr_db"] < eight["sample_sqnr_db_high"]
    assert "target" not in table


@pytest.mark.parametrize("name", ["top5", "cross_entropy", "fidelity"])
def test_tables_and_page_speak_of_the_task(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: NetworkRun = request.getfixturevalue(name)
    task = load_task(name)
    write_tables(run)
    heading = (run.folder / "table.md").read_text(encoding="utf-8").splitlines()[4]
    assert task.heading in heading
    page = write_report([run.folder], tmp_path).read_text(encoding="utf-8")
    assert f"{task.title}, {task.primary.unit}" in page
    assert "top-1" not in page
    assert (f"{task.loss_word}, {task.loss.unit}" in page) if task.loss else ("drop, " not in page)


@pytest.mark.parametrize(("name", "better"), [("top5", "BETTER"), ("cross_entropy", "BETTER"), ("fidelity", "BETTER")])
def test_two_runs_are_compared_sample_by_sample_by_their_task(
    name: str, better: str, request: pytest.FixtureRequest
) -> None:
    run: NetworkRun = request.getfixturevalue(name)
    task = load_task(name)
    assert {row.verdict for row in compare_runs(run, run).rows if row.kind == "accuracy"} == {"SAME"}
    swapped = exchanged(run)
    rows = [row for row in compare_runs(run, swapped).rows if row.kind == "accuracy" and row.before != row.after]
    assert rows
    for row in rows:
        assert row.quantity == task.primary.name
        assert row.low <= row.change <= row.high
        gained = task.gain(row.after - row.before) > 0
        assert row.verdict in ({better, "UNSURE", "SAME"} if gained else {"WORSE", "UNSURE", "SAME"})
    assert {"WORSE", better} <= {row.verdict for row in rows}


def exchanged(run: NetworkRun) -> NetworkRun:
    """The run with the rows of 8 and 3 bits in each other's place."""
    from dataclasses import replace

    rows = {row.trial.key: row for row in run.results}
    other = {"w8c": "w3c", "w3c": "w8c"}
    moved = []
    for row in run.results:
        bits = row.trial.spec[:3]
        twin = rows.get(row.trial.key.replace(bits, other.get(bits, bits)), row)
        moved.append(replace(row, correct=twin.correct, scores=twin.scores))
    return replace(run, results=tuple(moved))


def test_runs_of_two_tasks_are_not_compared_by_score(top1: NetworkRun, top5: NetworkRun) -> None:
    comparison = compare_runs(top1, top5)
    assert comparison.unscored == "the task was top1 before, top5 after"
    assert not [row for row in comparison.rows if row.kind == "accuracy"]


def test_what_a_task_needs_is_asked_for_before_the_run(tmp_path: Path) -> None:
    def bench(task: str, **names: str) -> Bench:
        text = SUITE.format(**({"model": "resnet20", "data": "cifar10-shard"} | names), task=task)
        (tmp_path / "s.yaml").write_text(text)
        return bench_of(load_suite(tmp_path / "s.yaml"))

    assert bench("").task is load_task("top1")
    with pytest.raises(DataError, match="task 'top1': expected labels to score by"):
        bench("task: top1", **UNLABELLED)
    with pytest.raises(SuiteError, match="unknown task 'top6'; did you mean"):
        bench("task: top6")
    with pytest.raises(SuiteError, match="expected one of the two"):
        bench("task: top1\ntarget: {metric: top5}")


PLUGIN = """
import numpy as np
from qbench.metrics import MetricKind, Scores, Task

def margin(scored):
    ordered = np.sort(scored.outputs, axis=1)
    return float(np.mean(ordered[:, -1] - ordered[:, -2]))

MARGIN = MetricKind("mean_margin", "logits", "higher", "first guess minus second", "outputs", margin)

def brier(outputs, answers):
    e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares = e / e.sum(axis=1, keepdims=True)
    return Scores(np.sum((shares - np.eye(outputs.shape[1])[answers.labels]) ** 2, axis=1).astype(float))

BRIER = Task(
    "brier", "Brier", "squared error of the softmax",
    MetricKind("brier_score", "", "lower", "mean squared error of the softmax"),
    MetricKind("brier_rise", "", "lower", "Brier score minus fp32's"),
    brier, matters=0.01,
)
"""
USE = """
import json, sys
from pathlib import Path
from qbench.report import write_report
from qbench.results import compare_runs, frame, read_run
from qbench.runner import run_suite
from qbench.suite import load_suite
folder = Path(sys.argv[1])
runs = [read_run(run_suite(load_suite(folder / name), results_root=folder / name[0])) for name in ("a.yaml", "b.yaml")]
rows = [row for row in compare_runs(*runs).rows if row.kind == "accuracy"]
page = write_report([runs[0].folder], folder).read_text(encoding="utf-8")
print(json.dumps({
    "row": {name: metric.value for name, metric in runs[0].results[1].metrics.items()},
    "table": list(frame(runs[0]).columns), "markdown": (runs[0].folder / "table.md").read_text(),
    "compare": [[row.quantity, row.verdict, row.before, row.after] for row in rows],
    "page": ["Brier" in page, 'title="first guess minus second"' in page],
}))
"""


def test_a_task_and_a_metric_of_another_package_are_a_line_each(tmp_path: Path) -> None:
    """They stand in the row, in the tables, in the page and in what compare says."""
    site = tmp_path / "site"
    (site / "outside-1.dist-info").mkdir(parents=True)
    (site / "outside.py").write_text(PLUGIN)
    (site / "outside-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1\n")
    (site / "outside-1.dist-info" / "entry_points.txt").write_text(
        "[qbench.tasks]\nbrier = outside:BRIER\n[qbench.metrics]\nmean_margin = outside:MARGIN\n"
    )
    text = SUITE.format(model="resnet20", data="cifar10-shard", task="task: brier").partition("  - {name: alone")[0]
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text.replace("samples: 16", "samples: 8"))
    paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", str(Path(__file__).parents[2]))])
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 0 < found["row"]["brier_score"] < 2
    assert found["row"]["mean_margin"] > 0
    assert {"brier_score", "brier_rise", "permutation_p", "mean_margin", "target"} <= set(found["table"])
    assert "| Brier |" in found["markdown"]
    assert found["compare"]
    assert {row[0] for row in found["compare"]} == {"brier_score"}
    assert found["page"] == [True, True]


def test_scores_of_a_row_fit_the_images(cross_entropy: NetworkRun) -> None:
    row = cross_entropy.results[0]
    each = stored_scores(row, cross_entropy.header.data.images)
    assert each is not None
    assert each.shape == (80,)
