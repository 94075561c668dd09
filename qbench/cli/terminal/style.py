"""How tables, times and results look on the terminal, in one place."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from qbench.cli.told import WIDE

if TYPE_CHECKING:
    from qbench.core.trial import TrialResult


PIPE_COLUMNS = 200
_ENDLESS = 10_000


def make_console(*, errors: bool = False) -> Console:
    """Return a console on standard output; one that is no terminal is wide, so that keys and paths are not broken.

    What it prints is text: names of layers, paths and rules hold square brackets and colons that mean nothing.

    Args:
        errors: print on standard error: what tells of progress, and is no answer.
    """
    stream = sys.stderr if errors else sys.stdout
    narrow = stream.isatty() or bool(os.environ.get("COLUMNS", "").isdigit())
    return Console(stderr=errors, markup=False, emoji=False, highlight=False, width=None if narrow else PIPE_COLUMNS)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence; on a narrow terminal its lines end between words, unless a path is longer than a line."""
    fits = console.width >= PIPE_COLUMNS or max(map(len, text.split()), default=0) > console.width - 2
    lines = [text] if fits else _wrapped(text, console.width, indent="  ")
    for line in lines:
        console.print(line, style=style or None, soft_wrap=True)


def _wrapped(text: str, width: int, *, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    ) or [""]


def plain_table(*headings: str, right: Iterable[str] = (), title: str = "") -> Table:
    """Return an empty table with a rule under its headings; columns named in `right` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    numbers = set(right)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return table


def print_fitting(
    console: Console,
    rows: Sequence[Sequence[str]],
    *,
    headings: Sequence[str],
    drop: Sequence[str] = (),
    wrap: Sequence[str] = (),
    right: Iterable[str] = (),
    title: str = "",
) -> None:
    """Print a table that no word of is broken: columns that do not fit are left out, those of `drop` in turn.

    Where even the rest does not fit, each row is printed as lines of `heading: text`. With `--wide` nothing is left
    out, whatever the terminal's width.

    Args:
        console: its width counts.
        rows: cells as text, one for each heading.
        headings: of all columns.
        drop: headings of columns that may be left out, the first to go first.
        wrap: headings of columns of prose, which may go over several lines between words.
        right: headings of columns of numbers.
        title: above it.
    """
    wide, numbers, shown = _is_wide(), tuple(right), list(headings)
    for name in (None, *(() if wide else drop)):
        shown = [heading for heading in shown if heading != name]
        least = _least(console, rows, headings, shown, wrap)
        if least <= console.width:
            break
    if least > console.width and not wide:
        _print_stacked(console, rows, headings, title)
        return
    table = plain_table(*shown, right=numbers, title=title)
    for column in table.columns:
        column.no_wrap = str(column.header) not in wrap
    places = [headings.index(heading) for heading in shown]
    for row in rows:
        table.add_row(*(row[place] for place in places))
    before, console.width = console.width, max(least, console.width) if wide else console.width
    console.print(table)
    console.width = before
    if len(shown) < len(headings):
        left_out = ", ".join(heading for heading in headings if heading not in shown)
        say(console, f"left out for want of width (--wide shows it): {left_out}", "dim")


def _is_wide() -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(WIDE))


def _least(
    console: Console, rows: Sequence[Sequence[str]], headings: Sequence[str], shown: Sequence[str], wrap: Sequence[str]
) -> int:
    """Return the columns of the terminal that a table needs where only prose is wrapped, and no word broken."""

    def cell(heading: str, text: str) -> str:
        return max(text.split(), key=len, default="") if heading in wrap else text

    table = plain_table(*shown)
    for row in rows:
        table.add_row(*(cell(heading, row[headings.index(heading)]) for heading in shown))
    return Measurement.get(console, console.options.update(width=_ENDLESS), table).maximum


def _print_stacked(console: Console, rows: Sequence[Sequence[str]], headings: Sequence[str], title: str) -> None:
    """Print rows as lines, where a terminal is too narrow for a table."""
    if title:
        console.print(title, soft_wrap=True)
    for first, *cells in rows:
        console.print(first, soft_wrap=True)
        for heading, text in zip(headings[1:], cells, strict=True):
            words = f"{heading}: {text}" if heading else text
            for line in _wrapped(words, max(console.width - 2, 20), indent="  ") if text else ():
                console.print(f"  {line}", soft_wrap=True)


def duration(seconds: float) -> str:
    """Return `0.8 s`, `45 s`, `4 min 10 s` or `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def result_line(result: TrialResult) -> str:
    """Return one row as one line: its key, its status or its first score, and its fastest throughput."""
    if result.status != "ok":
        return f"{result.status:8}{result.trial.key}: {result.reason}"
    parts = [f"ok      {result.trial.key}"]
    score = next((result.metrics[name] for name in result.metrics if name in _primary_scores()), None)
    if score is not None and score.value is not None:
        parts.append(f"{score.value:.2f} {score.unit}")
    own = [cell for cell in result.measurements if cell.cell == result.trial.backend and cell.samples_s]
    speeds = [cell.items / cell.median_s for cell in own if cell.group.startswith("network/")]
    if speeds:
        parts.append(f"{max(speeds):,.0f} images/s")
    parts.append(duration(sum(spent for name, spent in result.phases_s.items() if name != "shared")))
    return "  ".join(parts)


def _primary_scores() -> set[str]:
    """Return the names of the scores that count, of all tasks."""
    from qbench.metrics import TASKS, load_task

    return {load_task(name).primary.name for name in TASKS}
