"""What a finished run prints: accuracy per width, loss per layer, times; every column is in `table.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from qbench.cli.terminal.load import load_tables
from qbench.cli.terminal.style import print_fitting, say
from qbench.metrics import Task, load_task
from qbench.results import frame, left_out
from qbench.results.columns import timed_column
from qbench.results.draws import draws
from qbench.results.gates.expected import summary
from qbench.results.overview import heading, means
from qbench.results.tables import cell_text

if TYPE_CHECKING:
    from qbench.results import NetworkRun

_ROW_OF = (
    "scope",
    "granularity",
    "transform",
    "method",
    "rounding",
    "correction",
    "activation_bits",
    "edges",
    "overrides",
)


def show_overview(console: Console, table: pd.DataFrame) -> None:
    """Print one line for each network of a suite of several; the reasons stand in the files."""
    shown = [name for name in table.columns if not name.startswith("images_per_s") and name not in ("recipe", "status")]
    headings = [heading(name) for name in shown]
    text = ("model", "spec", "execution", "why")
    for line in means(table):
        say(console, line)
    rows = [
        tuple(cell_text(row, name) if name != "why" else str(row["why"]) for name in shown)
        for _, row in table.iterrows()
    ]
    numbers = [heading(name) for name in shown if name not in text]
    first = ("network", numbers[-1] if numbers else "")
    drop = [name for name in headings if name not in (*first, heading("why"))]
    print_fitting(console, rows, headings=headings, drop=drop, wrap=(heading("why"),), right=numbers)


def show_summary(console: Console, run: NetworkRun, *, verbose: bool = False) -> None:
    """Print the answer that a run gives, then what went wrong in it.

    Args:
        console: where to.
        run: of networks.
        verbose: print the tables of every sweep too.
    """
    from qbench.report.best import answer_lines, widths_table
    from qbench.report.view import view_of

    view = view_of(run)
    for line in answer_lines(view):
        say(console, line)
    best = widths_table(view)
    if best.rows:
        print_fitting(console, best.rows, headings=best.headings, drop=("score", "target", "size"), wrap=("row",))
    for note in best.notes:
        say(console, note)
    for headings, lines in load_tables(run.results):
        print_fitting(console, lines, headings=headings, drop=("buffers, MB", "first start, ms", "queries", "p90, ms"))
    table = frame(run)
    if verbose:
        good = table[table["status"] == "ok"]
        task = load_task(run.header.suite.task)
        for grid in (*_accuracy(good, task), *_layers(good, task), *_times(good, task)):
            print_fitting(console, grid.rows, headings=grid.headings, right=grid.right, title=grid.title)
    for _, row in table[table["status"] == "failed"].iterrows():
        say(console, f"failed  {row['key']}: {row['reason']}", style="red")
    for line in dict.fromkeys(line for row in run.results if row.trial.sweep == "baseline" for line in row.alarms):
        say(console, f"alarm: {line}", style="yellow")
    for spread in draws(run):
        say(console, spread.text)
    for note in left_out(run.results):
        say(console, note)
    if expected := summary(run):
        say(console, expected)
    words = table["status"].value_counts().to_dict()
    say(console, ", ".join(f"{count} {word}" for word, count in words.items()))
    if run.header.unstable:
        console.print("the machine was unstable while times were taken: see the report", style="yellow")


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table of one sweep."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[str, ...]
    title: str


def _accuracy(good: pd.DataFrame, task: Task) -> Iterator[_Grid]:
    """Yield one table per sweep of whole networks without times: the task's score, a column for each width."""
    score, word = _score(good, task)
    rows = good[(good["layers"] == "all") & ~_is_timed(good) & (good["sweep"] != "baseline")]
    for sweep, part in rows.groupby("sweep", sort=False):
        other = (part["scope"] == "full") & (part["activation_bits"] != part["bits"])
        widths = part["activation_bits"].astype(str).where(other, "same")
        yield _pivot(part.assign(activation_bits=widths), list(_ROW_OF), score, title=f"{sweep}: {word}")


def _layers(good: pd.DataFrame, task: Task) -> Iterator[_Grid]:
    """Yield one table per sweep of single layers: what was lost against fp32, or the score where it is a distance."""
    score, word = _score(good, task)
    lost = (score, word)
    if task.loss is not None and score == task.primary.name:
        lost = (task.loss.name, task.lost_words)
    rows = good[good["layers"] != "all"]
    for sweep, part in rows.groupby("sweep", sort=False):
        yield _pivot(part, ["layers", "method"], lost[0], title=f"{sweep}: {lost[1]}")


def _score(good: pd.DataFrame, task: Task) -> tuple[str, str]:
    """Return the column that rows are scored by, and its heading.

    Without labels that is agreement with fp32, where outputs are of classes: it says more to people than decibels.
    """
    name = task.primary.name
    scored, agrees = (column in good and good[column].notna().any() for column in (name, "agreement_percent"))
    if agrees and (not scored or task.loss is None):
        return "agreement_percent", "agreement with fp32 %"
    return name, task.heading


def _pivot(part: pd.DataFrame, index: list[str], values: str, *, title: str) -> _Grid:
    """Return a table of `values` with one column for each width of `part`; axes that do not vary are left out."""
    varying = [name for name in index if part[name].nunique() > 1] or index[:1]
    grid = part.pivot_table(index=varying, columns="bits", values=values, aggfunc="mean", sort=False)
    widths = sorted(grid.columns, reverse=True)
    headings = [f"{width} {'bit' if str(width) == '1' else 'bits'}" for width in widths]
    rows = []
    for names, line in grid.iterrows():
        labels = names if isinstance(names, tuple) else (names,)
        cells = ("" if pd.isna(line[width]) else f"{line[width]:.2f}" for width in widths)
        rows.append((*(str(label) for label in labels), *cells))
    return _Grid((*varying, *headings), tuple(rows), tuple(headings), title)


def _times(good: pd.DataFrame, task: Task) -> Iterator[_Grid]:
    """Yield the table of timed rows: images per second, and speed against each reference in the same rounds."""
    rows = good[_is_timed(good)]
    if rows.empty:
        return
    score, word = _score(good, task)
    columns: dict[str, str] = {score: word}
    for name in rows.columns:
        if name.startswith("latency_s_b"):
            batch = int(name.removeprefix("latency_s_b"))
            columns[timed_column("images_per_s", batch)] = f"images/s, batch {batch}"
            columns |= {
                column: f"x {column.removeprefix('speedup_').removesuffix(f'_b{batch}')}"
                for column in rows.columns
                if column.startswith("speedup_") and column.endswith(f"_b{batch}")
            }
    lines = []
    for _, row in rows.iterrows():
        cells = ("" if pd.isna(row[name]) else f"{row[name]:,.{_places(name)}f}" for name in columns)
        backend = "" if row["backend"] == "qbench" else f" ({row['backend']})"
        changes = [f"{row['edges']} ends"] * bool(row["edges"]) + [row["overrides"]] * bool(row["overrides"])
        spec = row["spec"] + backend + (f" ({', '.join(changes)})" if changes else "")
        method = row["recipe"] if row["transform"] or row["rounding"] else row["method"]
        method = f"{row['method']} + {row['correction']}" if row["correction"] and method == row["method"] else method
        lines.append((spec, method, row["execution"], *cells))
    numbers = tuple(columns.values())
    yield _Grid(("spec", "method", "execution", *numbers), tuple(lines), numbers, "times")


def _places(column: str) -> int:
    return 0 if column.startswith("images_per_s") else 2


def _is_timed(table: pd.DataFrame) -> pd.Series:
    names = [name for name in table.columns if name.startswith("latency_s_b")]
    return table[names].notna().any(axis=1)
