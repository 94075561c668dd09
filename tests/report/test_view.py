from pathlib import Path

import pytest

from qbench.report import answer
from qbench.report.tables import floor
from qbench.report.view import RunView, load, unique, widths


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def test_the_answer_is_the_smallest_row_that_is_shown_to_keep_the_target(view: RunView) -> None:
    found = answer.find(view)
    assert found.smallest_integer is not None
    assert found.smallest is not None
    kept = [row for row in view.network if row.target == "kept"]
    assert found.smallest.value("packed_bytes") == min(row.value("packed_bytes") or 0 for row in kept)
    assert found.smallest_integer.result.execution == "integer"
    assert found.headline is found.smallest_integer
    for row in found.unsure:
        assert row.target == "unsure"
        assert (row.value("packed_bytes") or 0) < (found.smallest_integer.value("packed_bytes") or 0)


def test_without_a_kept_row_there_is_no_answer(view: RunView) -> None:
    lost = RunView(view.run, tuple(row for row in view.rows if row.target != "kept" or row.is_baseline))
    assert answer.find(lost).headline is None


def test_pairs_differ_in_nothing_but_floor(view: RunView) -> None:
    found = floor.pairs(view)
    assert [pair.width for pair in found] == ["8", "4", "2"]
    for pair in found:
        assert pair.floored.result.trial.spec == pair.rounded.result.trial.spec
        assert pair.gain_db == pytest.approx(6.0)


def test_widths_run_from_many_bits_to_few_with_ternary_above_binary(view: RunView) -> None:
    assert widths(view.timed) == ["32", "8", "4", "T", "B"]


def test_a_row_that_two_sweeps_hold_is_taken_once(view: RunView) -> None:
    rows = [row for row in view.rows if row.ok]
    assert len(unique([*rows, *rows])) == len(unique(rows))


def test_a_row_finds_its_timed_twin(view: RunView) -> None:
    row = next(r for r in view.network if r.label == "w8c-a8t mse" and r.result.trial.sweep == "bits")
    twin = view.timed_twin(row)
    assert twin is not None
    assert twin.result.trial.sweep == "speed"
    ratio = twin.speedup(256, "onnxruntime-fp32")
    assert ratio is not None
    assert ratio.value == pytest.approx(3.1, rel=0.02)


def test_layers_timed_alone_come_with_their_references(view: RunView) -> None:
    row = next(row for row in view.rows if row.layer_times)
    time = row.layer_times[0]
    assert (time.layer, time.batch) == ("stem", 256)
    ratio = time.speedup("onnxruntime-int8")
    assert ratio is not None
    assert ratio.value == pytest.approx(1.3, rel=0.03)
    assert time.speedup("nobody") is None
