"""What a finished run says on the terminal: accuracy by width, loss by layer, times; every column is in `table.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.table import Table

from qbench.cli.style import plain_table
from qbench.results import frame
from qbench.results.columns import timed_column

if TYPE_CHECKING:
    from qbench.results import Run

_ROW_OF = ("scope", "granularity", "method", "activation_bits", "edges")


def show_summary(console: Console, run: Run) -> None:
    """Print the tables of `run`, and what went wrong in it."""
    table = frame(run)
    good = table[table["status"] == "ok"]
    for found in (*_accuracy(good), *_layers(good), *_times(good)):
        console.print(found)
    for _, row in table[table["status"] == "failed"].iterrows():
        console.print(f"failed  {row['key']}: {row['reason']}", markup=False, highlight=False, style="red")
    words = table["status"].value_counts().to_dict()
    console.print(", ".join(f"{count} {word}" for word, count in words.items()), highlight=False)
    if run.header.unstable:
        console.print("the machine was unstable while times were taken: see the report", style="yellow")


def _accuracy(good: pd.DataFrame) -> Iterator[Table]:
    """Yield one table a sweep of whole networks without times: top-1 in percent, a column for each width."""
    rows = good[(good["layers"] == "all") & ~_is_timed(good) & (good["sweep"] != "baseline")]
    for sweep, part in rows.groupby("sweep", sort=False):
        other = (part["scope"] == "full") & (part["activation_bits"] != part["bits"])
        widths = part["activation_bits"].astype(str).where(other, "same")
        yield _pivot(part.assign(activation_bits=widths), list(_ROW_OF), "top1_percent", title=f"{sweep}: top-1 %")


def _layers(good: pd.DataFrame) -> Iterator[Table]:
    """Yield one table a sweep of single layers: points lost against fp32."""
    rows = good[good["layers"] != "all"]
    for sweep, part in rows.groupby("sweep", sort=False):
        yield _pivot(part, ["layers", "method"], "top1_drop_points", title=f"{sweep}: points of top-1 lost")


def _pivot(part: pd.DataFrame, index: list[str], values: str, *, title: str) -> Table:
    """Return a table of `values` with one column for each width of `part`; axes that do not vary are left out."""
    varying = [name for name in index if part[name].nunique() > 1] or index[:1]
    grid = part.pivot_table(index=varying, columns="bits", values=values, aggfunc="mean", sort=False)
    widths = sorted(grid.columns, reverse=True)
    headings = [f"{width} bits" for width in widths]
    table = plain_table(*varying, *headings, right=headings, title=title)
    for names, line in grid.iterrows():
        labels = names if isinstance(names, tuple) else (names,)
        cells = ("" if pd.isna(line[width]) else f"{line[width]:.2f}" for width in widths)
        table.add_row(*(str(label) for label in labels), *cells)
    return table


def _times(good: pd.DataFrame) -> Iterator[Table]:
    """Yield the table of timed rows: images a second, and speed against each reference in the same rounds."""
    rows = good[_is_timed(good)]
    if rows.empty:
        return
    columns: dict[str, str] = {"top1_percent": "top-1 %"}
    for name in rows.columns:
        if name.startswith("latency_s_b"):
            batch = int(name.removeprefix("latency_s_b"))
            columns[timed_column("images_per_s", batch)] = f"images/s, batch {batch}"
            columns |= {
                column: f"x {column.removeprefix('speedup_').removesuffix(f'_b{batch}')}"
                for column in rows.columns
                if column.startswith("speedup_") and column.endswith(f"_b{batch}")
            }
    table = plain_table("spec", "method", "execution", *columns.values(), right=columns.values(), title="times")
    for _, row in rows.iterrows():
        cells = ("" if pd.isna(row[name]) else f"{row[name]:,.{_places(name)}f}" for name in columns)
        backend = "" if row["backend"] == "qbench" else f" ({row['backend']})"
        table.add_row(row["spec"] + backend, row["method"], row["execution"], *cells)
    yield table


def _places(column: str) -> int:
    return 0 if column.startswith("images_per_s") else 2


def _is_timed(table: pd.DataFrame) -> pd.Series:
    names = [name for name in table.columns if name.startswith("latency_s_b")]
    return table[names].notna().any(axis=1)
