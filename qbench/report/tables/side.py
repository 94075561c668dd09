"""Several runs side by side: one line per trial that at least two of them have. Judging them is `qbench compare`'s."""

from __future__ import annotations

from collections.abc import Sequence

from qbench.report import words
from qbench.report.rows import FP32, Row
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.report.view import RunView


def side_by_side(views: Sequence[RunView]) -> Table:
    """Return a table with the first run's score, packed size, images per second and speedup of each run.

    Images per second of two runs are not paired: a machine drifts. The speedup over fp32 was paired within each run.
    """
    batches = [view.batches[-1] if view.batches else 0 for view in views]
    columns = [Column("spec", number=False), Column("method", number=False), Column("layers", number=False)]
    task = views[0].task
    for title in (f"{task.title}, {task.primary.unit}", "packed", "images/s", f"{words.TIMES} fp32"):
        columns += [Column(f"{title} ({index})", title) for index, _ in enumerate(views, 1)]
    rows: dict[tuple[str, ...], dict[int, Row]] = {}
    for index, view in enumerate(views):
        for row in (row for row in view.rows if row.ok):
            trial = row.result.trial
            drawn = f"{trial.seed} {trial.samples} {trial.source}"
            key = (row.token, trial.method, trial.layers, trial.backend, trial.sweep, drawn, trial.variant)
            rows.setdefault(key, {}).setdefault(index, row)
    shared = {key: found for key, found in rows.items() if len(found) > 1}
    lines = (_line(key, found, batches, score=task.primary.name) for key, found in shared.items())
    return Table(tuple(columns), tuple(lines))


def _line(key: tuple[str, ...], found: dict[int, Row], batches: Sequence[int], *, score: str) -> Line:
    cells = [Cell(text, text) for text in key[:3]]
    runs = [found.get(index) for index in range(len(batches))]
    scores = [row.value(score) if row else None for row in runs]
    sizes = [row.value("packed_bytes") if row else None for row in runs]
    rates = [row.images_per_s(batch) if row and batch else None for row, batch in zip(runs, batches, strict=True)]
    ratios = [row.speedup(batch, FP32) if row and batch else None for row, batch in zip(runs, batches, strict=True)]
    cells += [Cell(words.number(value), value) for value in scores]
    cells += [Cell(words.size(value), value) for value in sizes]
    cells += [Cell(words.rate(rate.value), rate.value) if rate else Cell(words.ABSENT) for rate in rates]
    cells += [Cell(words.number(r.value), r.value, words.interval(r)) if r else Cell(words.ABSENT) for r in ratios]
    layers = "whole network" if key[2] == "all" else "single layer"
    return Line(tuple(cells), {"method": key[1], "layers": layers, "sweep": key[4]})
