"""`qbench asv init`: what asv, a tracker of benchmarks over commits, wants to follow a suite."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.told import json_option, tell_json
from qbench.errors import QBenchError


@click.command(epilog="Example: qbench asv init mine.yaml && asv check && asv run --quick")
@click.argument("action", metavar="init")
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path(), show_default=True, help="Folder of the repository."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
def asv(action: str, suite: Path, out: Path, force: bool, as_json: bool) -> int:
    """Write the files by which asv follows a suite.

    asv.conf.json and a module in benchmarks/ that hands asv the suite's scores, sizes, and times as ratios within the
    same rounds. asv is a package of its own (`pip install asv`).
    """
    if action != "init":
        raise QBenchError(f"asv: expected init, got '{action}'")
    from qbench.runner.tracked.files import write_asv

    files = write_asv(suite, out, force=force)
    if as_json:
        return tell_json("asv", files=files)
    for path in files:
        click.echo(f"wrote   {path}")
    click.echo("try it  asv check && asv run --quick")
    return 0
