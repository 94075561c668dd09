"""`qbench init` and `qbench explore`: from a network and data to a suite, and from there to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.options import data_options, shape_option
from qbench.cli.told import json_option, tell_json, wide_option
from qbench.errors import SuiteError

if TYPE_CHECKING:
    from qbench.suite.starter import Start


@click.command(epilog="Example: qbench init mine.onnx --data images/ --mean 0.485,0.456,0.406 -o mine.yaml")
@click.argument("model")
@data_options
@shape_option
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Number of threads.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The suite's file.  [default: <network>.yaml]")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def init(model: str, out: Path | None, force: bool, as_json: bool, **given: Any) -> int:
    """Write a first suite for a network.

    It tries bits, recipes, single layers and times, with comments. MODEL is an ONNX file or a packaged network. The
    suite is run by `qbench run` and may be changed at will.
    """
    from qbench.suite.starter import write_starter

    start = _start(model, given)
    path = out or Path(f"{start.name}.yaml")
    if path.exists() and not force:
        raise SuiteError(f"{path}: is there already; --force writes over it, -o names another file")
    written = write_starter(start, path)
    if as_json:
        return tell_json("init", suite=written, run_it=f"qbench run {path}")
    click.echo(f"wrote   {written}")
    click.echo(f"run it  qbench run {path}")
    return 0


@click.command(
    epilog="Example: qbench explore mine.onnx --data images/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
)
@click.argument("model")
@data_options
@shape_option
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Number of threads.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
    help="Folder for all results.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Time roughly: to 5 %, for at most 0.3 s per timed cell.")
@click.option("--fresh", is_flag=True, help="Start a new run that reuses no row of an earlier one.")
@click.option("-v", "--verbose", is_flag=True, help="Print the tables of every sweep, not the answer alone.")
@json_option
@wide_option
def explore(model: str, out: Path, *, as_json: bool, **given: Any) -> int:
    """Answer how low a network can go.

    From 8 bits to 2, by several recipes: what it loses, what it gains. MODEL is an ONNX file or a packaged network.
    Writes the suite that `qbench init` writes, runs it, times the rows that scored best beside every library that is
    installed, and ends in the answer and a page. A killed run continues when the same command is given again;
    `qbench run` with the suite's file does the same.
    """
    from qbench.cli.options import load
    from qbench.cli.run import run_facts, run_one
    from qbench.cli.terminal.style import make_console, say
    from qbench.suite.starter import write_starter

    start = _start(model, given)
    path = write_starter(start, out / start.name / "suite.yaml")
    again = f"qbench run {path} -o {out}"
    how = {name: given[name] for name in ("quick", "fresh", "verbose")}
    code, folder = run_one(load(path, None, ()), out, show=not as_json, **how)
    if as_json:
        return tell_json("explore", exit_code=code, suite=path, again=again, runs=[run_facts(folder)])
    console = make_console()
    say(console, f"suite   {path}")
    say(console, f"again   {again}")
    return code


def _start(model: str, given: dict[str, Any]) -> Start:
    """Return what the options ask for; libraries that are not installed are left out."""
    from qbench.suite.starter import started
    from qbench.zoo.preprocessing import Preprocessing

    how = Preprocessing.of(given["mean"], given["std"], given["resize"], given["crop"])
    data = given["data"] or ""
    return started(model, data, how, given["shapes"], limit=given["limit"], threads=given["threads"])
