"""The tables of runs: every run with what to know of it and its files, and what runs of kernels show."""

from __future__ import annotations

from collections.abc import Iterable

from qbench.report import words
from qbench.report.kernels.view import KernelView
from qbench.report.site.shown import Shown
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.results.kernels.index import mean_against


def kernel_runs(runs: Iterable[Shown]) -> Table:
    """Return one line for each run of kernels and number of threads: means against the best library of each shape."""
    columns = (
        Column("run", number=False),
        Column("machine", number=False),
        Column("threads"),
        Column("operations"),
        Column("mean", hint="geometric, against the fastest library of each shape that answers rightly"),
        Column("least"),
        Column("where", number=False),
    )
    lines = [line for shown in runs if not shown.is_network for line in _kernel_lines(shown)]
    return Table(columns, tuple(lines))


def _kernel_lines(shown: Shown) -> Iterable[Line]:
    view = KernelView(shown.run)
    for threads in view.threads:
        rows = [row for row in view.rows if row.trial.cell.threads == threads]
        mean = mean_against(rows, "peers")
        if mean is not None:
            yield Line(
                (
                    Cell(shown.name_here, link=shown.page),
                    Cell(shown.machine_name, detail=shown.machine_words),
                    Cell(str(threads)),
                    Cell(str(mean.rows)),
                    Cell(words.times(mean.value), mean.value),
                    Cell(words.times(mean.worst), mean.worst),
                    Cell(mean.worst_row.trial.cell.problem.label, detail=mean.worst_row.trial.cell.spec),
                ),
                {"machine": shown.machine_name},
            )


def versions_text(shown: Shown) -> str:
    """Return the versions that a run's machine had, in one line."""
    found = shown.header.machine.versions
    return ", ".join(f"{name} {version}" for name, version in found.items()) or "versions unknown"
