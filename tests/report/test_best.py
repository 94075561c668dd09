"""The best row of each width, on fabricated rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from qbench.report.best import answer_lines, best_of_widths, widths_table
from qbench.report.view import RunView, load


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def test_every_width_has_one_row_and_the_smallest_that_keeps_the_target_wins(view: RunView) -> None:
    found = best_of_widths(view)
    assert [best.width for best in found] == ["8", "4", "2", "T", "B"]
    eight = found[0]
    kept = [row for row in view.network if row.width == "8" and row.target == "kept" and row.spec.scope == "full"]
    smallest = min(row.value("packed_bytes") or 0.0 for row in kept)
    assert eight.row.target == "kept"
    assert (eight.row.value("packed_bytes") or 0.0) < 1.05 * smallest
    assert eight.row.result.execution == "integer"


def test_where_none_keeps_it_the_best_score_wins(view: RunView) -> None:
    two = next(best for best in best_of_widths(view) if best.width == "2")
    rows = [row for row in view.network if row.width == "2" and row.result.execution == "integer"]
    assert two.row.target == "lost"
    assert view.score(two.row) == max(view.score(row) for row in rows)


def test_the_table_says_how_fast_rows_are_that_some_sweep_timed(view: RunView) -> None:
    table = widths_table(view)
    assert table.headings[-2:] == ("\N{MULTIPLICATION SIGN} fp32", "\N{MULTIPLICATION SIGN} int8")
    assert table.rows[0][-2].startswith("3.1")
    assert any("onnxruntime-fp32; onnxruntime-int8" in note for note in table.notes)
    assert "T: three levels" in table.notes


def test_the_answer_is_said_in_three_sentences_at_most(view: RunView) -> None:
    lines = answer_lines(view)
    assert 1 <= len(lines) <= 3
    assert "keeps 99" in lines[0]
    lost = RunView(view.run, tuple(row for row in view.rows if row.target != "kept" or row.is_baseline))
    assert answer_lines(lost) == [
        "No quantized row of this run is shown to keep 99\N{NO-BREAK SPACE}% of fp32's accuracy."
    ]
