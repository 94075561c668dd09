"""`qbench compare`: what changed from one run to another, with a verdict for each row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.errors import QBenchError, ResultsError, suggest

if TYPE_CHECKING:
    from qbench.results import Comparison, Run

_RUN = click.Path(path_type=Path)
_OBJECTIONS = ("slower", "accuracy", "larger")


@click.command(epilog="Example: qbench compare results/resnet/A results/resnet/B --fail-on slower,accuracy")
@click.argument("run_a", type=_RUN)
@click.argument("run_b", type=_RUN)
@click.option("--fail-on", default="", metavar="WORDS", help=f"Exit with 1 on any of: {', '.join(_OBJECTIONS)}.")
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
def compare(
    run_a: Path, run_b: Path, fail_on: str, threshold: float, points: float | None, show_all: bool, out: Path | None
) -> int:
    """Show what changed from one run to another.

    Times are compared as ratios to the same reference, accuracy on the same images, sizes exactly. Both runs must be of
    networks, or both of kernels.

    Exit codes: 0 nothing found, 1 a regression named by --fail-on, 2 wrong input, 3 the machine was too unstable to
    judge.
    """
    from qbench.results import compare_runs, comparison_markdown, read_run

    objections = _objections(fail_on)
    before, after = read_run(run_a), read_run(run_b)
    comparison = compare_runs(before, after, threshold=threshold, points=points)
    if out is not None:
        try:
            out.write_text(comparison_markdown(before, after, comparison), encoding="utf-8")
        except OSError as error:
            raise ResultsError(f"{out}: cannot write: {error.strerror}") from error
    _show(before, after, comparison, show_all=show_all)
    return comparison.exit_code(objections)


def _objections(text: str) -> frozenset[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in _OBJECTIONS:
            raise QBenchError(f"--fail-on: unknown word '{word}'{suggest(word, _OBJECTIONS)}")
    return frozenset(words)


def _show(before: Run[Any], after: Run[Any], comparison: Comparison, *, show_all: bool) -> None:
    from qbench.cli.terminal.style import make_console, plain_table
    from qbench.results.compare_table import HEADINGS, remarks, table_rows

    console = make_console()
    rows = table_rows(comparison, changes_only=not show_all)
    if rows:
        table = plain_table(*HEADINGS, right=HEADINGS[2:7], title=f"{after.folder.name} against {before.folder.name}")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in remarks(comparison):
        console.print(line, markup=False, highlight=False)
