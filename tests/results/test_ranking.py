"""Recipes ranked on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qbench.core.trial import Metric, TrialResult
from qbench.metrics import load_task
from qbench.metrics.task import Task
from qbench.results.ranking import at_equal_bits, at_equal_bytes

MakeRow = Callable[..., TrialResult]
TOP1: Task = load_task("top1")
IMAGES = 400


def made(make_row: MakeRow, spec: str, method: str, wrong: int, packed: int = 1000) -> TrialResult:
    row = make_row(spec, wrong=wrong)
    metrics = {**row.metrics, "packed_bytes": Metric(packed, "B")}
    return replace(row, trial=replace(row.trial, method=method), metrics=metrics)


def test_rows_that_no_test_tells_apart_share_the_first_place(make_row: MakeRow) -> None:
    rows = [
        make_row("w32-a32", wrong=20),
        made(make_row, "w4c-a8t", "minmax", 90),
        made(make_row, "w4c-a8t", "mse", 30),
        made(make_row, "w4c-a8t", "kl", 31),
        made(make_row, "w4c-a8t", "percentile", 36),
        made(make_row, "w3c-a8t", "mse", 60),
    ]
    (ranking,) = at_equal_bits(rows, task=TOP1, samples=IMAGES)
    assert ranking.name == "w4c-a8t"
    assert [place.row.trial.recipe for place in ranking.places] == ["mse", "kl", "percentile", "minmax"]
    # One and six images that only `mse` has right: mid-p 0.5 and 1/64, times what Holm's rule asks of three questions.
    assert [round(place.p, 4) for place in ranking.places[:3]] == [1.0, 0.5, round(2 / 64, 4)]
    assert [place.leads for place in ranking.places] == [True, True, False, False]
    assert [place.behind for place in ranking.places] == [0.0, 0.25, 1.5, 15.0]
    assert all(place.low is not None and place.low <= place.behind for place in ranking.places[1:])


def test_only_whole_networks_that_ran_here_compete(make_row: MakeRow) -> None:
    first, other = made(make_row, "w4c-a8t", "mse", 30), made(make_row, "w4c-a8t", "kl", 40)
    changes = ({"layers": "stem"}, {"backend": "onnxruntime-int8"}, {"spec": "w32-a32"}, {"edges": "w8c-a8t"})
    for change in changes:
        rows = [first, replace(other, trial=replace(other.trial, **change))]
        assert at_equal_bits(rows, task=TOP1, samples=IMAGES) == ()
    assert at_equal_bits([first, replace(other, status="failed")], task=TOP1, samples=IMAGES) == ()


def test_at_equal_bytes_a_smaller_row_may_lead(make_row: MakeRow) -> None:
    rows = [
        made(make_row, "w2c-a8t", "mse", 200, 500),
        made(make_row, "w2c-a8t", "kmeans", 190, 520),
        made(make_row, "w3c-a8t", "mse", 50, 700),
        made(make_row, "w4c-a8t", "minmax", 120, 900),
        made(make_row, "w8c-a8t", "mse", 30, 1700),
    ]
    found = at_equal_bytes(rows, task=TOP1, samples=IMAGES)
    leaders = [(ranking.name, [place.row.trial.spec for place in ranking.leaders]) for ranking in found]
    assert leaders == [("520", ["w2c-a8t"]), ("700", ["w3c-a8t"]), ("1700", ["w8c-a8t"])]
