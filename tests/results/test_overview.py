"""Many networks in one table: every one has a line, whether it ran, failed or could not be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from qbench.core.trial import Metric, TrialResult
from qbench.results import read_run
from qbench.results.overview import means, overview, overview_markdown, write_overview

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


@pytest.fixture
def table(make_run: MakeRun, make_row: MakeRow) -> pd.DataFrame:
    """Return the overview of two networks that ran, of which one failed, and of two that did not."""
    metrics = {"integer_share": Metric(0.75, ""), "agreement_percent": Metric(96.0, "%", "higher", 90.0, 99.0)}
    good = make_row(times_s=(0.001,) * 9, metrics=metrics, notes=("integer: a pool | in float", "another"))
    failed = make_row(status="failed", reason="boom", metrics={}, correct="", execution="float32")
    runs = [
        read_run(make_run("a", make_row("w32-a32", times_s=(0.004,) * 9), good)),
        read_run(make_run("b", make_row("w32-a32"), failed)),
    ]
    return overview(runs, {"far": ("skipped", "pip install far"), "odd": ("failed", "no such node")})


def test_every_network_has_a_line_and_fp32_rows_have_none(table: pd.DataFrame) -> None:
    assert list(table["model"]) == ["resnet20", "resnet20", "far", "odd"]
    assert list(table["status"]) == ["ok", "failed", "skipped", "failed"]
    assert list(table["why"]) == ["a pool | in float", "boom", "pip install far", "no such node"]


def test_integers_agreement_and_speed_are_those_of_the_row(table: pd.DataFrame) -> None:
    row = table.iloc[0]
    assert (row["integer_percent"], row["agreement_percent"]) == (75.0, 96.0)
    assert row["speedup_onnxruntime-fp32_b8"] == pytest.approx(4.0)
    assert table["integer_percent"].isna().tolist() == [False, True, True, True]


def test_the_mean_is_geometric_and_over_rows_that_were_timed(table: pd.DataFrame) -> None:
    assert means(table) == ["x onnxruntime-fp32, batch 8: 4.00 over 1 rows"]
    more = pd.concat([table, table.iloc[:1].assign(**{"speedup_onnxruntime-fp32_b8": 1.0})])
    assert means(more) == ["x onnxruntime-fp32, batch 8: 2.00 over 2 rows"]


def test_the_files_hold_every_line(table: pd.DataFrame, tmp_path: Path) -> None:
    markdown, csv = write_overview(tmp_path / "public", "Many", table)
    assert markdown.read_text() == overview_markdown("Many", table)
    assert "| far | - | - | skipped |" in markdown.read_text()
    assert "a pool \\| in float" in markdown.read_text()
    assert list(pd.read_csv(csv)["model"]) == list(table["model"])


def test_no_network_at_all_is_a_table_too() -> None:
    assert overview_markdown("None", overview([], {})).startswith("# None")
