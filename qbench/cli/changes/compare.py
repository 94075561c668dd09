"""`qbench compare`: what changed from one run to another, with a verdict for each row, and a gate for checks in CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.changes.gates import file_options, gate_of, gate_options, show_objections, tell_github, write
from qbench.cli.told import wide_option

if TYPE_CHECKING:
    from qbench.results import Comparison, Run
    from qbench.results.gates.gate import Objection

    Runs = tuple[Run[Any], Run[Any]]

_RUN = click.Path(path_type=Path)


@click.command(epilog="Example: qbench compare results/resnet/A results/resnet/B --fail-on slower,accuracy")
@click.argument("run_a", type=_RUN)
@click.argument("run_b", type=_RUN)
@click.option(
    "--fail-on",
    default="",
    metavar="WORDS",
    help="Exit with 1 on any of: slower, accuracy, larger; on rows, figures or bars that are missing, skipped, failed "
    "or not met; and on what the suite expects and rows do not show.",
)
@gate_options
@click.option(
    "--threshold", default=0.03, show_default=True, help="Smallest relative change of a time that counts: 0.03 is 3 %."
)
@click.option(
    "--points",
    type=float,
    help="Smallest change of the score that counts, in its unit; by default the task's own: 0.3 points of top-1.",
)
@click.option("--all", "show_all", is_flag=True, help="Also show rows that did not change.")
@click.option("-o", "--out", type=_RUN, help="Also write the comparison to this Markdown file.")
@file_options
@wide_option
def compare(run_a: Path, run_b: Path, threshold: float, points: float | None, **how: Any) -> int:
    """Show what changed from one run to another.

    Times are compared as ratios to the same reference, accuracy on the same images, sizes exactly. Both runs must be of
    networks, or both of kernels.

    Exit codes: 0 nothing found, 1 something that --fail-on objects to, 2 wrong input, 3 (or --soft) something that
    --fail-on guards could not be judged: another machine, an unstable one, other data.
    """
    from qbench.results import compare_runs, comparison_markdown, read_run

    gate = gate_of(how["fail_on"], how["allow"], how["soft"])
    runs = read_run(run_a), read_run(run_b)
    comparison = compare_runs(*runs, threshold=threshold, points=points)
    objections, questions = gate.objections(*runs, comparison), gate.open_questions(runs[1], comparison)
    code = gate.exit_code(objections, questions)
    found = (*objections, *questions)
    _write_files(runs, comparison, found, code, how)
    if how["json_file"] != Path("-"):
        _show(runs, comparison, found, show_all=how["show_all"])
        if how["github"]:
            tell_github(found, comparison_markdown(*runs, comparison, found))
    return code


def _write_files(
    runs: Runs,
    comparison: Comparison,
    found: tuple[Objection, ...],
    code: int,
    how: dict[str, Any],
) -> None:
    """Write what was asked for as files."""
    from qbench.results import comparison_markdown
    from qbench.results.gates.verdicts import verdicts_json, verdicts_junit

    if how["out"] is not None:
        write(how["out"], comparison_markdown(*runs, comparison, found))
    if how["junit"] is not None:
        write(how["junit"], verdicts_junit(runs, comparison, found))
    if how["json_file"] == Path("-"):
        click.echo(verdicts_json(runs, comparison, found, code=code), nl=False)
    elif how["json_file"] is not None:
        write(how["json_file"], verdicts_json(runs, comparison, found, code=code))


def _show(runs: Runs, comparison: Comparison, found: tuple[Objection, ...], *, show_all: bool) -> None:
    """Print what is wrong, then what speaks against judging, then the rows."""
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.results.compare_table import HEADINGS, remarks, table_rows

    console, (before, after) = make_console(), runs
    show_objections(console, found)
    for line in remarks(comparison):
        say(console, line)
    rows = table_rows(comparison, changes_only=not show_all)
    if rows:
        say(console, f"{after.folder.name} against {before.folder.name}")
        print_fitting(console, rows, headings=HEADINGS, drop=("p (Holm)", "basis", "95 %", "before", "after"))
