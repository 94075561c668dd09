"""`qbench publish`: a static site of runs."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.told import json_option, tell_json

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: qbench publish results/ -o site/")
@click.argument("runs", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--out", type=_PATH, required=True, help="Folder for the site.")
@click.option("--title", default="", help="Title of the site.")
@json_option
def publish(runs: tuple[Path, ...], out: Path, title: str, as_json: bool) -> int:
    """Write a static site of runs.

    RUNS are folders of runs, your own or of others, or folders that hold some. The first page sets networks beside
    machines and libraries, shows the best of each machine, and how rows went where a suite ran several times on one
    machine; every run gets its page, and its files to download. The site is plain files that any web server serves.

    Each run is checked: what is missing in it, or differs from other runs, is said beside it. One that is broken, or
    contradicts itself, is refused in a line; the exit code is then 1.
    """
    from qbench.report.site.write import write_site

    found = write_site(runs, out, title=title, tell=lambda name: click.echo(f"run     {name}", err=True))
    if as_json:
        return tell_json(
            "publish", exit_code=1 if found.refused else 0, page=found.page, runs=found.shown, refused=found.refused
        )
    for line in found.refused:
        click.echo(f"refused {line}", err=True)
    click.echo(f"wrote   {found.page} ({found.shown} runs)")
    return 1 if found.refused else 0
