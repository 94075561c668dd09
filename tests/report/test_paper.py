"""Tables and figures for papers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from qbench.errors import ResultsError
from qbench.report.figures import save_figure
from qbench.report.paper import FORMATS, TABLES, Entry, PaperTable, paper_table
from qbench.report.plots import PLOTS
from qbench.report.plots.plot import Plot
from qbench.report.view import RunView, load

ODD = PaperTable(
    ("a_b", "x & y"), ((Entry("50 % of $1_{2}", True), Entry("\N{MINUS SIGN}0.1 | [2]")),), frozenset({"x & y"})
)


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


def test_every_letter_that_means_something_is_escaped() -> None:
    assert FORMATS["latex"](ODD).splitlines() == [
        "\\begin{tabular}{lr}",
        "\\toprule",
        "a\\_b & x \\& y \\\\",
        "\\midrule",
        "\\textbf{50 \\% of \\$1\\_\\{2\\}} & $-$0.1 | [2] \\\\",
        "\\bottomrule",
        "\\end{tabular}",
    ]
    assert "[*50 % of \\$1\\_{2}*], [\N{MINUS SIGN}0.1 | \\[2\\]]" in FORMATS["typst"](ODD)
    assert "| **50 % of $1_{2}** | \N{MINUS SIGN}0.1 \\| [2] |" in FORMATS["markdown"](ODD)
    assert list(csv.reader(io.StringIO(FORMATS["csv"](ODD)))) == [
        ["a_b", "x & y", "leads"],
        ["50 % of $1_{2}", "\N{MINUS SIGN}0.1 | [2]", "1"],
    ]


@pytest.mark.parametrize("what", TABLES)
@pytest.mark.parametrize("form", FORMATS)
def test_several_runs_join_in_one_table(view: RunView, what: str, form: str) -> None:
    one, two = (paper_table(views, what=what, form=form) for views in ([view], [view, view]))
    assert "resnet20" in one
    assert two.count("resnet20") == 2 * one.count("resnet20")


def test_only_rows_that_a_test_lets_lead_are_bold(view: RunView) -> None:
    table = TABLES["ranking"]([view])
    leaders = sum(len(group.leaders) for group in view.by_bits)
    assert sum(row[2].bold for row in table.rows) == leaders < len(table.rows)


def test_what_there_is_not_is_one_line(view: RunView, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="unknown word 'latexx'; did you mean 'latex'"):
        paper_table([view], what="best", form="latexx")
    with pytest.raises(ResultsError, match="no row to put into it"):
        paper_table([RunView(view.run, ())], what="ranking", form="csv")
    plot: Plot | None = PLOTS.load("recipes")(view)
    assert plot is not None
    with pytest.raises(ResultsError, match=r"expected a file that ends in \.pdf, \.svg, \.png"):
        save_figure(plot, tmp_path / "a.tiff", width_in=3.3, titled=True)


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF-"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_figure_is_written_at_a_columns_width(view: RunView, tmp_path: Path, suffix: str, start: bytes) -> None:
    plot: Plot | None = PLOTS.load("accuracy_against_size")(view)
    assert plot is not None
    path = save_figure(plot, tmp_path / f"a.{suffix}", width_in=3.3, titled=False)
    content = path.read_bytes()
    assert content.startswith(start)
    assert save_figure(plot, tmp_path / f"b.{suffix}", width_in=3.3, titled=False).read_bytes() == content
