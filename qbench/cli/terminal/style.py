"""How tables, times and results look on the terminal, in one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from qbench.core.trial import TrialResult


PIPE_COLUMNS = 200
_ENDLESS = 10_000


def make_console() -> Console:
    """Return a console on standard output; one that is no terminal is wide, so that keys and paths are not broken.

    What it prints is text: names of layers, paths and rules hold square brackets and colons that mean nothing.
    """
    narrow = sys.stdout.isatty() or bool(os.environ.get("COLUMNS", "").isdigit())
    return Console(markup=False, emoji=False, highlight=False, width=None if narrow else PIPE_COLUMNS)


def plain_table(*headings: str, right: Iterable[str] = (), title: str = "") -> Table:
    """Return an empty table with a rule under its headings; columns named in `right` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    numbers = set(right)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return table


def print_fitting(
    console: Console, rows: Sequence[Sequence[str]], *, headings: Sequence[str], drop: Sequence[str]
) -> None:
    """Print a table that no line of is broken: columns that do not fit are left out, those of `drop` in turn.

    Args:
        console: its width counts.
        rows: cells as text, one for each heading.
        headings: of all columns.
        drop: headings of columns that may be left out, the first to go first.
    """
    shown = list(headings)
    for name in ("", *drop):
        shown = [heading for heading in shown if heading != name]
        places = [headings.index(heading) for heading in shown]
        table = plain_table(*shown)
        for row in rows:
            table.add_row(*(row[place] for place in places))
        if Measurement.get(console, console.options.update(width=_ENDLESS), table).maximum <= console.width:
            break
    console.print(table)
    if len(shown) < len(headings):
        left_out = ", ".join(heading for heading in headings if heading not in shown)
        console.print(f"left out for want of width: {left_out}", style="dim")


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
