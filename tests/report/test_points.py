"""What a page is worked with: points that know their trial, the first rows of the table, folded remarks."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from qbench.report import figures, page
from qbench.report.best import best_first, by_width
from qbench.report.plots import PLOTS
from qbench.report.plots.points import name_marks, with_trials, without_trials
from qbench.report.tables.table import trials
from qbench.report.view import RunView, load
from qbench.results import read_run
from tests.report.conftest import waiting

FEW = 15


@pytest.fixture(scope="module")
def view(run_folder: Path) -> RunView:
    return load(run_folder)


@pytest.fixture(scope="module")
def table(view: RunView) -> str:
    return page.render([page.section(view, [])])


def test_every_mark_of_a_group_gets_its_trials_and_files_get_none() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    (line,) = axes.plot([1, 2, 3], [1, 2, 3], marker="o")
    name_marks(line, [[4], [5, 9], [6]])
    (bar,) = axes.bar([2], [3])
    name_marks(bar, [[7]])
    svg = figures._svg(figure, salt="x", text_as_paths=False)
    named = with_trials(svg)
    assert re.findall(r'<(\w+) data-trial="([^"]*)"', named) == [
        ("path", "7"),
        ("use", "4"),
        ("use", "5 9"),
        ("use", "6"),
    ]
    assert 'id="trial' in svg
    assert "trial" not in without_trials(svg)


def test_the_points_of_size_and_accuracy_stand_where_the_rows_they_name_stand(view: RunView) -> None:
    plot = PLOTS.load("accuracy_against_size")(view)
    assert plot is not None
    marks = re.findall(r'<use data-trial="(\d+)"[^>]* x="([\d.]+)"', figures.drawn(plot, run="r").wide)
    rows = {str(row.line): row for row in view.rows}
    assert len(marks) == len({line for line, _ in marks}) > 20
    by_place = [rows[line].value("packed_bytes") or 0.0 for line, _ in sorted(marks, key=lambda one: float(one[1]))]
    assert by_place == sorted(by_place)


def lines_of(text: str) -> set[str]:
    """Return the lines of `trials.jsonl` that rows of a page name, shown ones and those that wait as data."""
    return {*re.findall(r'<tr [^>]*data-line="(\d+)"', text), *waiting(text)}


@pytest.mark.parametrize("name", [name for name in PLOTS if name != "accuracy_against_size"])
def test_every_plot_names_trials_that_the_table_has(name: str, view: RunView, table: str) -> None:
    drawn = figures.drawn(PLOTS.load(name)(view), run="r")
    for svg in (drawn.wide, drawn.narrow):
        named = {line for one in re.findall(r'data-trial="([^"]+)"', svg) for line in one.split()}
        assert named
        assert named <= lines_of(table)


def test_a_trial_that_was_run_again_comes_from_its_last_line(run_folder: Path, tmp_path: Path) -> None:
    lines = (run_folder / "trials.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "run.json").write_bytes((run_folder / "run.json").read_bytes())
    (tmp_path / "trials.jsonl").write_text("".join([*lines[:3], lines[1]]), encoding="utf-8")
    assert read_run(tmp_path).lines == (1, 4, 3)


def test_fp32_and_the_best_of_each_width_come_first_and_no_row_is_lost(view: RunView) -> None:
    rows, widths = best_first(view), by_width(view)
    assert rows[0] is view.baseline
    assert [row.width for row in rows[1 : len(widths) + 1]] == list(widths)
    assert sorted(id(row) for row in rows) == sorted(id(row) for row in view.rows)


def test_the_page_opens_on_few_rows_and_says_where_each_comes_from(view: RunView, table: str) -> None:
    body = table[table.index('id="trials1"') :]
    body = body[: body.index("</table>")]
    assert len(re.findall(r"<tr data-[^>]*>", body)) == FEW
    assert sorted(map(int, lines_of(table))) == sorted(row.line for row in view.rows)
    held = table[table.index('<script type="application/json">') :]
    held = held[: held.index("</script>")]
    assert len(held) / len(waiting(table)) < 800, "2,000 rows must leave room for plots in a page of 5 MB"


def test_a_long_remark_is_one_line_that_opens(view: RunView) -> None:
    remark = "logits are far from fp32's; " * 20
    row = replace(view.rows[0], result=replace(view.rows[0].result, alarms=(remark,)))
    few = replace(view, rows=(row,))
    assert remark in trials(few).lines[0].cells[-1].text
    shown = page.render([page.section(few, [])])
    assert re.search(r'<details class="long"><summary>logits are far', shown)
    style = (Path(page.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    assert "td:last-child" not in style


def test_scripts_stay_small_and_ask_nobody(table: str) -> None:
    script = table[table.rindex("<script>") :]
    assert len(script.encode()) < 50_000
    assert not re.search(r"fetch\(|XMLHttp|import |https?://(?!www\.w3\.org/2000/svg)", script)


def test_two_runs_of_one_page_keep_their_own_points(
    make_run: Callable[..., Path], view: RunView, tmp_path: Path
) -> None:
    other = load(make_run(tmp_path / "other", images=300, methods=("mse",), bits=(8, 4)))
    plot = figures.Drawn("throughput", "t", "s", "<svg></svg>", "<svg></svg>")
    text = page.render([page.section(one, [plot]) for one in (view, other)])
    assert re.findall(r'data-trials="(\w+)"', text) == ["trials1", "trials2"]
    assert re.findall(r'<table class="sortable pinned" id="(\w+)"', text) == ["trials1", "trials2"]
