"""Many networks in one table: a line for each quantized row of their runs, and for each network that had none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import pandas as pd

from qbench.results.index import frame
from qbench.results.reader import NetworkRun
from qbench.results.tables import cell_text, write_each

FACTS = {
    "model": "network",
    "spec": "spec",
    "recipe": "recipe",
    "status": "status",
    "execution": "execution",
    "integer_percent": "integer, % of operations",
    "agreement_percent": "agreement with fp32, %",
    "sample_sqnr_db": "SQNR, dB",
    "top1_percent": "top-1, %",
}
"""Columns that every table may have, and their headings; times stand behind them, then what is said of the row."""
WORDS = {"why": "why"}


def overview(runs: Sequence[NetworkRun], left_out: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Return a line for every row of qbench's own but fp32's, and one for each network that was left out.

    Args:
        runs: of one network each.
        left_out: network -> `skipped` or `failed`, and why there is no run of it.
    """
    lines: list[dict[str, Any]] = []
    for run in runs:
        for result, (_, row) in zip(run.results, frame(run).iterrows(), strict=True):
            if result.trial.backend == "qbench" and result.trial.sweep != "baseline":
                lines.append(_line(row, result.notes))
    lines += [{"model": name, "status": status, "why": why} for name, (status, why) in left_out.items()]
    columns = dict.fromkeys(name for line in lines for name in line)
    timed = [name for name in columns if name.startswith(("images_per_s", "speedup_"))]
    order = [*FACTS, *timed, *WORDS]
    return pd.DataFrame(lines, columns=[name for name in order if name in columns])


def _line(row: pd.Series, notes: tuple[str, ...]) -> dict[str, Any]:
    """Return what an overview shows of a row of a run's frame, and of what its notes say of its arithmetic."""
    line = {name: row[name] for name in FACTS if name in row.index}
    if row.get("integer_share") is not None and row["status"] == "ok":
        line["integer_percent"] = 100.0 * float(row["integer_share"])
    for name in row.index:
        batched = name.startswith(("images_per_s_b", "speedup_"))
        if batched and not name.endswith(("_low", "_high")) and not pd.isna(row[name]):
            line[name] = row[name]
    start = f"{row['execution']}: "
    said = [note.removeprefix(start) for note in notes if note.startswith((start, "slower than "))]
    return line | {"why": row["reason"] or "; ".join(said)}


def overview_markdown(title: str, table: pd.DataFrame) -> str:
    """Return the table as Markdown, with the geometric mean of each speedup below."""
    headings = {name: heading(name) for name in table.columns}
    lines = [f"# {title}", "", "| " + " | ".join(headings.values()) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(cell_text(row, name) for name in headings) + " |" for _, row in table.iterrows()]
    return "\n".join([*lines, "", *means(table)]) + "\n"


def means(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each reference and batch size: the geometric mean of how many times as fast qbench is."""
    found = []
    for name in table.columns:
        values = [] if not name.startswith("speedup_") else [float(value) for value in table[name].dropna()]
        if values:
            found.append(f"{heading(name)}: {geometric_mean(values):.2f} over {len(values)} rows")
    return found


def heading(name: str) -> str:
    """Return what people read above a column."""
    if name in FACTS or name in WORDS:
        return {**FACTS, **WORDS}[name]
    kind, _, batch = name.rpartition("_b")
    what = f"x {kind.removeprefix('speedup_')}" if kind.startswith("speedup_") else "images/s"
    return f"{what}, batch {batch}"


def write_overview(folder: Path, title: str, table: pd.DataFrame) -> list[Path]:
    """Write `networks.md` and `networks.csv` into a folder and return their paths; raise ResultsError."""
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Path], object]] = {
        "networks.md": lambda path: path.write_text(overview_markdown(title, table), encoding="utf-8"),
        "networks.csv": lambda path: table.to_csv(path, index=False),
    }
    return write_each(folder, writers)
