"""Latencies, scenarios, memory and energy of a run on the terminal: a line for each row and party."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qbench.core.trial import TrialResult
from qbench.results.load import HEADINGS, load_rows
from qbench.results.tables import number_text

Lines = tuple[tuple[str, ...], list[tuple[str, ...]]]


def load_tables(results: Sequence[TrialResult]) -> Iterator[Lines]:
    """Yield headings and lines of what is of a batch size, and of what is of none; only columns that have a number."""
    rows = load_rows([result for result in results if result.status == "ok"])
    for part in ([row for row in rows if row["batch"]], [row for row in rows if not row["batch"]]):
        names = [name for name in HEADINGS if any(name in row for row in part)]
        if names:
            places = ("trial", "party", "batch") if part[0]["batch"] else ("trial", "party")
            headings = ("row", "library", *places[2:], *(_heading(name) for name in names))
            yield headings, [(*(row[place] for place in places), *(_text(row, name) for name in names)) for row in part]


def _heading(name: str) -> str:
    heading = HEADINGS[name].replace(" (99 %)", "")
    return re.sub(", s$", ", ms", heading.replace(", bytes", ", MB"))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    if name.endswith("queries"):
        return f"{value:.0f}"
    if name.endswith("bytes"):
        return number_text(value / 1e6)
    in_seconds = name.endswith(("_s", "_s_high")) and not name.endswith("per_s")
    return number_text(1e3 * value if in_seconds else value)
