"""`qbench table` and `qbench plot`: tables and figures of runs as papers want them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import click

from qbench.cli.files import write
from qbench.cli.told import json_option, table_of, tell_json
from qbench.errors import QBenchError, suggest

_FOLDER = click.Path(path_type=Path)
_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}


@click.command(epilog="Example: qbench table results/resnet/latest --what ranking --format latex -o table.tex")
@click.argument("runs", nargs=-1, required=True, type=_FOLDER)
@click.option(
    "--what", default="best", show_default=True,
    help="`best`: the best row of each width; `ranking`: the recipes of each spec, ranked; `sensitivity`: each layer "
    "alone.",
)  # fmt: skip
@click.option("--format", "form", default="latex", show_default=True, help="latex (booktabs), typst, markdown or csv.")
@click.option("-o", "--out", type=_FOLDER, help="File to write; the terminal without it.")
@json_option
def table(runs: tuple[Path, ...], what: str, form: str, out: Path | None, as_json: bool) -> int:
    """Write a table of runs for a paper.

    RUNS are folders of runs of networks. In bold: rows that are shown to keep the target, recipes that no paired test
    tells from the best. Intervals are 95 %.
    """
    from qbench.report.paper import paper_table
    from qbench.report.view import load

    views = [load(run) for run in runs]
    text = paper_table(views, what=what, form=form)
    if as_json and out is None:
        headings, *rows = csv.reader(io.StringIO(paper_table(views, what=what, form="csv")))
        return tell_json("table", what=what, rows=table_of(headings, rows))
    if out is None:
        click.echo(text, nl=False)
        return 0
    write(out, text)
    if as_json:
        return tell_json("table", what=what, file=out)
    click.echo(f"wrote   {out}")
    return 0


@click.command(epilog="Example: qbench plot recipes results/resnet/latest --width 3.3in --no-title -o recipes.pdf")
@click.argument("name")
@click.argument("run", type=_FOLDER)
@click.option("--width", default="6.9in", show_default=True, metavar="LENGTH", help="With in, cm, mm or pt.")
@click.option("--no-title", is_flag=True, help="Leave title and conditions to the caption.")
@click.option("-o", "--out", type=_FOLDER, required=True, help="File to write: .pdf, .svg or .png.")
@json_option
def plot(name: str, run: Path, width: str, no_title: bool, out: Path, as_json: bool) -> int:
    """Draw one plot of a run at the width of a paper's column.

    NAME is a plot that the run has data for; a name that it has not is answered with those that it has.
    """
    from qbench.cli.terminal.style import make_console, say
    from qbench.report.figures import save_figure
    from qbench.report.kind import page_kind
    from qbench.results import read_run

    found = read_run(run)
    plots = {plot.name: plot for plot in page_kind(found.header.kind).plots(found)}
    if name not in plots:
        raise QBenchError(f"{run}: no plot '{name}'{suggest(name, list(plots))}")
    file = save_figure(plots[name], out, width_in=_inches(width), titled=not no_title)
    if as_json:
        return tell_json("plot", file=file, title=plots[name].title, subtitle=plots[name].subtitle)
    click.echo(f"wrote   {file}")
    if no_title:
        say(make_console(), f"{plots[name].title}. {plots[name].subtitle}")
    return 0


def _inches(text: str) -> float:
    match = re.fullmatch(r"([0-9.]+)\s*(in|cm|mm|pt)", text.strip())
    value = float(match[1]) * _INCHES[match[2]] if match and match[1].count(".") < 2 and match[1] != "." else 0.0
    if not 1.5 <= value <= 40:
        raise QBenchError(f"--width: expected a length from 1.5in to 40in such as 3.3in or 84mm, got '{text}'")
    return value
