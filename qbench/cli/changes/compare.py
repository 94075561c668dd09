"""`qbench compare`: what changed between runs, or between methods, with a verdict for each row, and a gate for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.changes.gates import (
    change_options,
    file_options,
    gate_of,
    gate_options,
    show_objections,
    tell_file,
    tell_github,
)
from qbench.cli.files import write
from qbench.cli.told import wide_option
from qbench.errors import QBenchError

if TYPE_CHECKING:
    from qbench.results.gates.judged import Judged

_FILE = click.Path(path_type=Path)
_MOST_ROWS, _MOST_REMARKS = 20, 8
"""Rows and remarks that the terminal shows of all; files hold the others."""


@click.command(
    epilog="Examples: qbench compare results/resnet/A results/resnet/B --fail-on slower,accuracy | "
    "qbench compare results/mine/latest --by recipe --where 'bits == 4'"
)
@click.argument("runs", nargs=-1, required=True, type=_FILE, metavar="RUN...")
@click.option(
    "--by",
    metavar="FIELD",
    help="Compare rows of all RUNS that differ in this field alone: recipe, spec, source ..., or run.",
)
@click.option("--where", metavar="EXPR", help="With --by: only rows that match, e.g. 'bits <= 4'.")
@click.option(
    "--fail-on",
    default="",
    metavar="WORDS",
    help="Exit with 1 on any of: slower, accuracy, larger; on rows, figures or bars that are missing, skipped, failed "
    "or not met; and on what the suite expects and rows do not show.",
)
@gate_options
@change_options
@file_options
@wide_option
def compare(runs: tuple[Path, ...], **how: Any) -> int:
    """Show what changed from one run to others.

    Times are compared as ratios to the same reference, accuracy on the same images, sizes exactly; rows are the same
    where sweep and trial are, or where only the sweep's name differs. All runs must be of networks, or all of kernels.
    A single RUN is compared with the baseline of its suite (`qbench baseline`).

    Exit codes: 0 nothing found, 1 something that --fail-on objects to, 2 wrong input, 3 (or --soft) something that
    --fail-on guards could not be judged: another machine, an unstable one, other data.
    """
    if how["by"] is not None:
        return _methods(runs, how)
    if how["where"] is not None:
        raise QBenchError("--where: it goes with --by")
    return judge(runs, how)


def judge(paths: Sequence[Path], how: dict[str, Any], *, command: str = "compare") -> int:
    """Compare runs with the first one, a single one with its baseline; show it and return the exit code."""
    from qbench.results import read_run
    from qbench.results.gates.baseline import baselines_folder, find_baseline
    from qbench.results.gates.judged import judged

    gate = gate_of(how["fail_on"], how["allow"], how["soft"])
    runs = tuple(read_run(path) for path in paths)
    if len(runs) == 1:
        runs = (find_baseline(runs[0], how.get("baselines") or baselines_folder(Path())), *runs)
    found = judged(runs, gate, threshold=how["threshold"], points=how["points"])
    if not _write_files(found, how, command):
        _show(found, show_all=how["show_all"])
        if how["github"]:
            tell_github(found.wrong, found.markdown())
    return found.code


def _write_files(found: Judged, how: dict[str, Any], command: str) -> bool:
    """Write what was asked for as files; return whether standard output was one of them."""
    if how["out"] is not None:
        from qbench.report.changes import comparison_html

        _write_page(how["out"], found.markdown(), comparison_html(found))
    if how["junit"] is not None:
        write(how["junit"], found.junit())
    return tell_file(how["json_file"], command, found.code, found.facts())


def _write_page(path: Path, markdown: str, html: str) -> None:
    forms = {".md": markdown, ".html": html}
    if path.suffix not in forms:
        raise QBenchError(f"-o {path}: expected a file that ends in .md or .html")
    write(path, forms[path.suffix])


def _show(found: Judged, *, show_all: bool) -> None:
    """Print for each run the answer, then what is wrong, then the rows that changed."""
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.results.compare_table import HEADINGS, table_rows

    console = make_console()
    for one in found.each:
        say(console, f"{one.after.folder.name} against {found.before.folder.name}: {one.remarks[0]}")
    show_objections(console, found.wrong)
    rows = []
    for one in found.each:
        rest = one.remarks[1:]
        most = len(rest) if show_all else _MOST_REMARKS // len(found.each) + 1
        for line in rest[:most]:
            say(console, line)
        name = (one.after.folder.name,) if len(found.each) > 1 else ()
        rows += [(*name, *row) for row in table_rows(one.comparison, changes_only=not show_all)]
    if rows:
        headings = (*(("run",) if len(found.each) > 1 else ()), *HEADINGS)
        shown = rows if show_all else rows[:_MOST_ROWS]
        print_fitting(console, shown, headings=headings, drop=("p (Holm)", "basis", "95 %", "before", "after"))
        if len(rows) > len(shown):
            say(console, f"and {len(rows) - len(shown)} more rows: --all, or -o changes.html", style="dim")


def _methods(paths: Sequence[Path], how: dict[str, Any]) -> int:
    """Compare rows that differ in one field alone, and print the answer first."""
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.report.changes import table_html, table_markdown
    from qbench.results import read_run
    from qbench.results.duels import HEADINGS, duel_rows, duels, summary
    from qbench.suite.filter import parse_filter

    if how["fail_on"] or how["junit"] or how["github"]:
        raise QBenchError(
            "--by: what it finds is no gate; use `expect: [{order: ...}]` in the suite, and `qbench check`"
        )
    holds = (lambda trial: True) if how["where"] is None else parse_filter(how["where"])
    runs = [read_run(path) for path in paths]
    found = duels(runs, how["by"], holds=holds, points=how["points"])
    lines, rows = list(summary(found)), duel_rows(found)
    title = f"{', '.join(run.folder.name for run in runs)} by {how['by']}"
    if how["out"] is not None:
        what = title, lines, HEADINGS, rows
        _write_page(how["out"], table_markdown(*what), table_html(*what))
    if tell_file(how["json_file"], "compare", 0, {"answer": lines, "pairs": found}):
        return 0
    console = make_console()
    for line in lines if how["show_all"] else lines[:_MOST_ROWS]:
        say(console, line)
    shown = rows if how["show_all"] else rows[:_MOST_ROWS]
    print_fitting(console, shown, headings=HEADINGS, drop=("p (Holm)", "95 %"))
    if len(rows) > len(shown):
        say(console, f"and {len(rows) - len(shown)} more pairs: --all, or -o pairs.html", style="dim")
    return 0
