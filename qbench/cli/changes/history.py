"""`qbench history`: how figures went over many runs, and at which run one took a step."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.changes.gates import threshold_option, words_of
from qbench.cli.files import write
from qbench.cli.told import json_option, tell_json, wide_option

if TYPE_CHECKING:
    from qbench.results.history.series import History

_MOST_ROWS = 30
"""Rows of a table on the terminal; files hold all."""
_KINDS = ("time", "accuracy", "size")


@click.command(
    epilog="Examples: qbench history results/mine --row 'speed/*' -o history.svg | qbench history --git baseline/"
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--git", "kept", is_flag=True, help="RUNS are folders of a run that git keeps: show all its versions.")
@click.option(
    "--order", type=click.Choice(["time", "commit"]), default="time", show_default=True,
    help="Order of the runs: when they were made, or the history of the commits they are of.",
)  # fmt: skip
@click.option("--row", "rows", multiple=True, metavar="GLOB", help="Only rows whose key matches; repeatable.")
@click.option("--what", default=",".join(_KINDS), show_default=True, metavar="WORDS", help="Kinds of figures.")
@threshold_option
@click.option(
    "-o", "--out", multiple=True, type=click.Path(path_type=Path),
    help="Also write it to this file: .svg, .png or .pdf for the plot, .md for the tables; repeatable.",
)  # fmt: skip
@json_option
@wide_option
def history(runs: tuple[Path, ...], out: tuple[Path, ...], as_json: bool, **how: Any) -> int:
    """Show figures over many runs, and their steps.

    RUNS are folders of runs, or folders that hold them, such as results/mine. A time is its ratio to a party of the
    same rounds, so that a host that drifts makes no step. Runs are made by `qbench run SUITE --fresh` at each commit.
    """
    from qbench.results.history.runs import runs_of
    from qbench.results.history.series import history as history_of

    kinds = sorted(words_of("--what", how["what"], _KINDS))
    found = history_of(
        *runs_of(runs, kept=how["kept"], by_commit=how["order"] == "commit"),
        rows=how["rows"],
        kinds=kinds,
        threshold=how["threshold"],
    )
    for path in out:
        _write(path, found)
    if as_json:
        return tell_json("history", files=out, **asdict(found))
    _show(found)
    for path in out:
        click.echo(f"wrote   {path}")
    return 0


def _write(path: Path, found: History) -> None:
    from qbench.results.history.tables import history_markdown

    if path.suffix == ".md":
        write(path, history_markdown(found))
        return
    from qbench.report.figures import save_figure
    from qbench.report.plots.history import history_plot

    save_figure(history_plot(found), path, width_in=10.0, titled=True)


def _show(found: History) -> None:
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.results.history.tables import FIGURES, STEPS, figure_rows, headline, step_rows

    console = make_console()
    say(console, headline(found))
    for remark in found.remarks:
        say(console, remark)
    for headings, rows, drop in (
        (STEPS, step_rows(found), ("p", "95 %")),
        (FIGURES, figure_rows(found), ("runs", "first", "course")),
    ):
        if rows:
            print_fitting(console, rows[:_MOST_ROWS], headings=headings, drop=drop)
        if len(rows) > _MOST_ROWS:
            say(console, f"and {len(rows) - _MOST_ROWS} more: -o history.md holds all", style="dim")
