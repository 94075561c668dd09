"""Latencies, scenarios, memory and energy of a run's rows and of the libraries beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qbench.report import words
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.report.view import RunView
from qbench.results.load import HEADINGS, load_rows


def loads(view: RunView) -> tuple[Table, ...]:
    """Return a table of what is of a batch size and one of what is of none; none where nothing was measured."""
    return tuple(_tables(view))


def _tables(view: RunView) -> Iterator[Table]:
    labels = {row.result.trial.key: row.label for row in view.rows if row.ok}
    rows = [row for row in load_rows(view.run.results) if row["trial"] in labels]
    for with_batch in (True, False):
        part = [row for row in rows if bool(row["batch"]) is with_batch]
        names = [name for name in HEADINGS if any(name in row for row in part)]
        if not names:
            continue
        batch = [Column("batch")] if with_batch else []
        columns = [Column("row", number=False), Column("library", number=False), *batch]
        columns += [Column(re.sub(", (s|bytes)$", "", HEADINGS[name])) for name in names]
        lines = []
        for row in part:
            label = labels[row["trial"]]
            cells = [Cell(label, label), Cell(row["party"], row["party"])]
            cells += [Cell(row["batch"], float(row["batch"]))] if with_batch else []
            lines.append(Line((*cells, *(_cell(name, row.get(name)) for name in names)), {"library": row["party"]}))
        yield Table(tuple(columns), tuple(lines))


def _cell(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell(words.ABSENT)
    if name.endswith("bytes"):
        return Cell(words.size(value), value)
    is_time = name.endswith(("_s", "_s_high")) and not name.endswith("per_s")
    return Cell(words.seconds(value) if is_time else words.significant(value), value)
