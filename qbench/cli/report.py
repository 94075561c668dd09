"""`qbench report`: remake tables, plots and page of one run, or of several side by side."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.told import json_option, tell_json

_RUN = click.Path(path_type=Path)


@click.command(epilog="Example: qbench report results/resnet/latest results/other/latest -o side-by-side")
@click.argument("runs", nargs=-1, required=True, type=_RUN)
@click.option("-o", "--out", type=_RUN, help="Folder for the page.  [default: the folder of the first run]")
@json_option
def report(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> int:
    """Remake the report of one run, or of several.

    Tables, plots and the page are made from the rows; nothing is measured again. Several RUNS are shown side by side.
    """
    from qbench.report import write_report
    from qbench.results import read_run, write_tables

    found = [read_run(path) for path in runs]
    tables = [path for run in found if out is None for path in write_tables(run)]
    page = write_report([run.folder for run in found], out or found[0].folder)
    if as_json:
        return tell_json("report", page=page, tables=tables)
    for path in (*tables, page):
        click.echo(path)
    return 0
