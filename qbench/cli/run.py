"""`qbench run`: the main command, from a suite to tables and a page."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.options import load, suite_options
from qbench.cli.told import json_option, tell_json, wide_option
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
@json_option
@wide_option
def run(
    suite: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...], *, as_json: bool, **how: bool
) -> int:
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
        code, folder = run_one(whole, out, show=not as_json, **how)
        return tell_json("run", exit_code=code, runs=[run_facts(folder)]) if as_json else code
    return _run_each(whole, out, as_json=as_json, **how)


def _run_each(suite: AnySuite, out: Path, *, as_json: bool, **how: bool) -> int:
    """Run a suite of several networks; one that cannot be run is left out with a line. Show all in one table."""
    from qbench.cli.terminal.style import make_console, say
    from qbench.cli.terminal.summary import show_overview
    from qbench.results import read_run
    from qbench.results.overview import overview, write_overview

    console, codes, folders, left_out = make_console(errors=as_json), [0], [], {}
    for one in suite.each():
        say(console, f"{one.name}", style="bold")
        try:
            code, folder = run_one(one, out, show=not as_json, **how)
            folders.append(folder)
        except Exception as error:  # a bug with one network must not cost the others: its trace is printed
            code, why = _left_out(error)
            left_out[one.name.removeprefix(f"{suite.name}-")] = ("failed" if code else "skipped", why)
            say(console, why, style="red" if code else "yellow")
        codes.append(code)
    table = overview([read_run(folder) for folder in folders], left_out)
    files = write_overview(out / suite.name, suite.title or suite.name, table)
    if as_json:
        facts = [run_facts(folder) for folder in folders]
        reasons = [{"network": name, "status": word, "reason": why} for name, (word, why) in left_out.items()]
        return tell_json("run", exit_code=max(codes), runs=facts, left_out=reasons, files=files)
    show_overview(console, table)
    for path in files:
        console.print(f"table  {path}", markup=False, highlight=False, soft_wrap=True)
    return max(codes)


def _left_out(error: Exception) -> tuple[int, str]:
    """Return the exit code of a network that could not be run, and why in a line."""
    if isinstance(error, QBenchError):
        return 0 if isinstance(error, NotInstalledError) else 2, str(error)
    traceback.print_exception(error)
    return 1, f"{type(error).__name__}: {' '.join(str(error).split())}"


def run_one(
    suite: AnySuite, out: Path, *, quick: bool = False, fresh: bool = False, verbose: bool = False, show: bool = True
) -> tuple[int, Path]:
    """Run a suite, show what came out where `show` is true, and return the exit code and the run's folder.

    Progress goes to standard error, so that standard output begins with the answer.
    """
    from qbench.cli.kind import words_of
    from qbench.cli.terminal.progress import Watch
    from qbench.cli.terminal.style import make_console, say
    from qbench.report import write_report
    from qbench.results import read_run
    from qbench.runner import run_suite

    console, words = make_console(), words_of(suite.kind)
    with Watch(make_console(errors=True), words) as watch:
        folder = run_suite(suite, results_root=out, quick=quick, fresh=fresh, observer=watch)
        watch.on_phase("drawing the report")
        page = write_report([folder], folder)
    found = read_run(folder)
    faults = words.faults(found)
    if show:
        words.show_run(console, found, verbose=verbose)
        for fault in faults:
            say(console, fault, style="red")
        for name, path in (("tables", folder / "table.md"), ("report", page)):
            say(console, f"{name}  {path}")
    return 1 if faults or any(result.status == "failed" for result in found.results) else 0, folder


def run_facts(folder: Path) -> dict[str, Any]:
    """Return what a finished run says: its answer, the rows that matter, every row, and where its files lie."""
    from qbench.cli.kind import words_of
    from qbench.cli.told import table_of
    from qbench.report.kind import page_kind
    from qbench.report.write import PAGE_NAME
    from qbench.results import read_run
    from qbench.results.kind import row_kind

    found = read_run(folder)
    kind = found.header.kind
    answer = page_kind(kind).answer(found)
    table = row_kind(kind).frame(found).astype(object)
    return {
        "folder": folder,
        "page": folder / PAGE_NAME,
        "answer": answer.lines,
        "best": table_of(answer.headings, answer.rows),
        "rows": table.where(table.notna(), None).to_dict("records"),
        "faults": words_of(kind).faults(found),
        "unstable": found.header.unstable,
    }
