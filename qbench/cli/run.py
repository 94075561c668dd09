"""`qbench run`: the main command, from a suite to tables and a page."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qbench.cli.options import load, suite_options
from qbench.errors import NotInstalledError, QBenchError

if TYPE_CHECKING:
    from qbench.suite import AnySuite


@click.command(
    epilog="Examples: qbench run resnet | qbench run suites/resnet.yaml --quick --filter 'bits <= 4' --set data=cifar10"
)
@suite_options
@click.option("--quick", is_flag=True, help="Time roughly: to 5 %, for at most 0.3 s per timed cell.")
@click.option("-v", "--verbose", is_flag=True, help="Print the tables of every sweep, not the answer alone.")
@click.option("--fresh", is_flag=True, help="Start a new run that reuses no row of an earlier one.")
def run(suite: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...], **how: bool) -> int:
    """Run a suite, or continue it, and write its report.

    SUITE is a file, or the name of a packaged suite (`qbench list suites`). One of several networks makes a run of
    each, leaves out what cannot be run with a line that says why, and ends in a table: OUT/<suite>/networks.md.

    Every finished trial is one line of OUT/<suite>/<run>/trials.jsonl. A killed run continues when the same command is
    given again. Tables, plots and a page are written beside the rows. The exit code is 1 if a trial failed. A suite of
    `kind: kernels` times single operations beside other libraries (suites/kernels.yaml); one with `device: cuda` runs
    on the first GPU (suites/cuda.yaml).
    """
    whole = load(suite, filter_text, overrides)
    if whole.each() == (whole,):
        return run_one(whole, out, **how)[0]
    return _run_each(whole, out, **how)


def _run_each(suite: AnySuite, out: Path, **how: bool) -> int:
    """Run a suite of several networks; one that cannot be run is left out with a line. Show all in one table."""
    from qbench.cli.terminal.style import make_console
    from qbench.cli.terminal.summary import show_overview
    from qbench.results import read_run
    from qbench.results.overview import overview, write_overview

    console, codes, folders, left_out = make_console(), [0], [], {}
    for one in suite.each():
        console.print(f"{one.name}", markup=False, highlight=False, style="bold")
        try:
            code, folder = run_one(one, out, **how)
            folders.append(folder)
        except Exception as error:  # a bug with one network must not cost the others: its trace is printed
            code, why = _left_out(error)
            left_out[one.name.removeprefix(f"{suite.name}-")] = ("failed" if code else "skipped", why)
            console.print(why, markup=False, highlight=False, style="red" if code else "yellow")
        codes.append(code)
    table = overview([read_run(folder) for folder in folders], left_out)
    show_overview(console, table)
    for path in write_overview(out / suite.name, suite.title or suite.name, table):
        console.print(f"table  {path}", markup=False, highlight=False, soft_wrap=True)
    return max(codes)


def _left_out(error: Exception) -> tuple[int, str]:
    """Return the exit code of a network that could not be run, and why in a line."""
    if isinstance(error, QBenchError):
        return 0 if isinstance(error, NotInstalledError) else 2, str(error)
    traceback.print_exception(error)
    return 1, f"{type(error).__name__}: {' '.join(str(error).split())}"


def run_one(
    suite: AnySuite, out: Path, *, quick: bool = False, fresh: bool = False, verbose: bool = False
) -> tuple[int, Path]:
    """Run a suite and show what came out; return the exit code and the run's folder."""
    from qbench.cli.kind import words_of
    from qbench.cli.terminal.progress import Watch
    from qbench.cli.terminal.style import make_console
    from qbench.report import write_report
    from qbench.results import read_run
    from qbench.runner import run_suite

    console, words = make_console(), words_of(suite.kind)
    with Watch(console, words) as watch:
        folder = run_suite(suite, results_root=out, quick=quick, fresh=fresh, observer=watch)
        watch.on_phase("drawing the report")
        page = write_report([folder], folder)
    found = read_run(folder)
    words.show_run(console, found, verbose=verbose)
    faults = words.faults(found)
    for fault in faults:
        console.print(fault, markup=False, highlight=False, style="red")
    for name, path in (("tables", folder / "table.md"), ("report", page)):
        console.print(f"{name}  {path}", markup=False, highlight=False, soft_wrap=True)
    return 1 if faults or any(result.status == "failed" for result in found.results) else 0, folder
