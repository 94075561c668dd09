"""`qbench baseline`: a good run of each suite kept in git, and every later run against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qbench.cli.changes.compare import judge
from qbench.cli.changes.gates import change_options, file_options, gate_options
from qbench.cli.told import tell_json, wide_option

_FILE = click.Path(path_type=Path)


@click.command(
    epilog="Example: qbench baseline save results/mine/latest && git add qbench-baselines; "
    "then in CI: qbench baseline compare results/mine/latest"
)
@click.argument("action", type=click.Choice(["save", "compare"]), metavar="save|compare")
@click.argument("run", type=_FILE)
@click.option(
    "--dir", "baselines", type=_FILE, metavar="FOLDER",
    help="Folder of all baselines.  [default: qbench-baselines at the top of git's repository]",
)  # fmt: skip
@click.option(
    "--fail-on", default="accuracy,larger", show_default=True, metavar="WORDS",
    help="What `compare` guards, beside absences and what is not met: slower, accuracy, larger.",
)  # fmt: skip
@gate_options
@change_options
@file_options
@wide_option
def baseline(action: str, run: Path, baselines: Path | None, **how: Any) -> int:
    """Keep a good run in git, or compare with it.

    `save` makes RUN the baseline of its suite: two small files, qbench-baselines/SUITE/run.json and trials.jsonl.
    `compare` holds RUN against the baseline of its suite, with the exit codes of `qbench compare`.
    """
    if action == "compare":
        return judge([run], {**how, "baselines": baselines}, command="baseline")
    from qbench.results import read_run
    from qbench.results.gates.baseline import baselines_folder, save_baseline

    place, size = save_baseline(read_run(run), baselines or baselines_folder(Path()))
    if how["json_file"] == Path("-"):
        return tell_json("baseline", folder=place, bytes=size)
    click.echo(f"wrote   {place}, {size / 1000:.0f} kB")
    return 0
