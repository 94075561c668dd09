"""The tables of a run: `table.csv` and `trials.parquet` with every column, `table.md` with those that people read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qbench.errors import ResultsError
from qbench.metrics import Task, load_task
from qbench.results.columns import timed_column
from qbench.results.draws import draws
from qbench.results.kind import row_kind
from qbench.results.load import is_shown, load_heading
from qbench.results.reader import NetworkRun, Run


def write_tables(run: Run[Any]) -> list[Path]:
    """Write the three tables into the run's folder and return their paths; raise ResultsError when one cannot be."""
    kind = row_kind(run.header.kind)
    table = kind.frame(run)
    writers: dict[str, Callable[[Path], object]] = {
        "table.csv": lambda path: table.to_csv(path, index=False),
        "table.md": lambda path: path.write_text(kind.markdown(run, table), encoding="utf-8"),
        "trials.parquet": lambda path: table.to_parquet(path, index=False),
    }
    return write_each(run.folder, writers)


def write_each(folder: Path, writers: Mapping[str, Callable[[Path], object]]) -> list[Path]:
    """Call every writer with a path, so that a reader sees the old file or the new one; return the files' paths.

    Raises:
        ResultsError: a file cannot be written.
    """
    written = []
    for name, write in writers.items():
        path, fresh = folder / name, folder / f".{name}.new"
        try:
            write(fresh)
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ResultsError(f"{path}: cannot write: {error.strerror or error}") from error
        written.append(path)
    return written


def markdown_table(run: NetworkRun, table: pd.DataFrame) -> str:
    """Return a heading and the readable columns as a Markdown table, one row per trial."""
    header = run.header
    task = load_task(header.suite.task)
    columns = readable_columns(table, task)
    lines = [
        f"# {header.suite.title or header.suite.name}",
        "",
        f"{header.model.name} on {header.data.name} ({header.data.images} images), run of {header.created_utc}. "
        "Intervals are 95 %; drops are paired with the fp32 row.",
        "",
        "| " + " | ".join(columns.values()) + " |",
        "|" + "---|" * len(columns),
    ]
    for _, row in table.iterrows():
        lines.append(
            "| " + " | ".join(cell_text(row, name, interval=name != task.primary.name) for name in columns) + " |"
        )
    spreads = [f"- {one.text}" for one in draws(run)]
    return "\n".join([*lines, *([""] if spreads else []), *spreads]) + "\n"


def readable_columns(table: pd.DataFrame, task: Task) -> dict[str, str]:
    """Return the columns that people read, those that the table has, with their headings."""
    wanted = {
        "sweep": "sweep",
        "layers": "layers",
        "spec": "spec",
        "edges": "edges",
        "overrides": "overrides",
        "transform": "transform",
        "method": "method",
        "rounding": "rounding",
        "correction": "correction",
        "accumulator": "sums of",
        task.primary.name: task.heading,
        **({task.loss.name: f"{task.loss_word}, {task.loss.unit}"} if task.loss else {}),
        task.p_name: "p",
        "bits_per_weight": "bits/weight",
        "packed_bytes": "bytes",
    }
    batches = sorted({int(name.rpartition("_b")[2]) for name in table.columns if name.startswith("latency_s_b")})
    for batch in batches:
        wanted[timed_column("images_per_s", batch)] = f"images/s, batch {batch}"
        suffix = f"_b{batch}"
        for name in table.columns:
            if name.startswith("speedup_") and name.endswith(suffix):
                wanted[name] = f"x {name.removeprefix('speedup_').removesuffix(suffix)}, batch {batch}"
    wanted |= {name: load_heading(name) for name in table.columns if is_shown(name)}
    wanted |= {"execution": "execution", "reason": "reason"}
    present = {name: heading for name, heading in wanted.items() if name in table.columns}
    return {name: heading for name, heading in present.items() if not _is_empty(table[name])}


def cell_text(row: pd.Series, name: str, *, interval: bool = True) -> str:
    """Return one cell as text, with its interval when asked and there: `0.30 [0.05, 0.55]`; a dash without a value."""
    value = row[name]
    if isinstance(value, str):
        return value.replace("|", "\\|") or "-"
    if value is None or pd.isna(value):
        return "-"
    if name.endswith("_p"):
        return "<0.01" if float(value) < 0.01 else f"{float(value):.2f}"
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None or pd.isna(low) or pd.isna(high) or not interval:
        return number_text(float(value))
    return f"{number_text(float(value))} [{number_text(float(low))}, {number_text(float(high))}]"


def number_text(value: float) -> str:
    """Return at most four figures that matter, without an exponent where people read the number."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    places = max(0, min(2 if abs(value) >= 0.01 else 4, 3 - math.floor(math.log10(abs(value)))))
    return f"{value:.{places}f}"


def _is_empty(values: Sequence[object] | pd.Series) -> bool:
    return all(value is None or value == "" or value != value for value in values)  # nan differs from itself
