"""The best library of each class, on fabricated times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.trial import Measurement, TrialResult
from qbench.report import answer, cards
from qbench.report.rivals import rivals
from qbench.report.rows import Row
from qbench.report.view import RunView, load, view_of

GROUP = "network/batch256"


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def with_others(row: TrialResult, **factors: float) -> TrialResult:
    """Add libraries that take so many times as long as qbench in every round."""
    own = next((m for m in row.measurements if (m.group, m.cell) == (GROUP, "qbench")), None)
    if own is None:
        return row
    others = tuple(
        Measurement(GROUP, name.replace("_", "-"), tuple(factor * s for s in own.samples_s), 3, 256, threads=2)
        for name, factor in factors.items()
    )
    return replace(row, measurements=(*row.measurements, *others))


def timed(view: RunView, **factors: float) -> RunView:
    results = tuple(with_others(row, **factors) for row in view.run.results)
    return view_of(replace(view.run, results=results))


def test_the_fastest_library_of_each_class_is_named(view: RunView) -> None:
    found = timed(view, litert_int8=0.5, openvino_bf16=1.0, openvino_fp32=9.0)
    row = next(row for row in found.timed if row.label == "w8c-a8t mse" and 256 in found.batches)
    assert [(one.name, one.kind) for one in rivals(row, 256)] == [
        ("onnxruntime-fp32", "fp32"),
        ("openvino-bf16", "bf16"),
        ("litert-int8", "int8"),
    ]
    assert [one.verdict for one in rivals(row, 256)] == ["faster", "as fast", "slower"]
    assert rivals(row, 3) == ()


def test_a_rival_that_is_faster_stands_in_headline_cards_and_title(view: RunView) -> None:
    from qbench.report.plots.throughput import plot

    found = timed(view, litert_int8=0.5)
    row = next(row for row in found.timed if row.label == "w8c-a8t mse")
    assert cards.best_rivals(row, found)[-1].name == "litert-int8"
    head = cards.headline(found, answer.Answer(row, row, row, ()))
    assert "0.50\N{MULTIPLICATION SIGN} the speed of litert-int8" in head
    fastest = next(card for card in cards.cards(found, answer.find(found)) if card.title.startswith("fastest"))
    assert any(line.startswith("0.50\N{MULTIPLICATION SIGN} litert-int8 [") for line in fastest.lines)
    assert any(line.startswith("top-1 ") for line in fastest.lines)
    drawn = plot(found)
    assert drawn is not None
    assert "0.50\N{MULTIPLICATION SIGN} as many as litert-int8" in drawn.title


def test_a_row_that_was_never_timed_has_no_rival(view: RunView) -> None:
    row = next(row for row in view.rows if not row.result.measurements)
    assert rivals(Row(row.result, row.record), 256) == ()
