"""The page of a run of kernels: what its template is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qbench.core.cells.result import OWN, KernelResult
from qbench.errors import ResultsError
from qbench.report import machine, words
from qbench.report.banners import Banner, run_banners
from qbench.report.figures import PLOTS_NAME, drawn, write_files
from qbench.report.kernels.plots import kernel_plots
from qbench.report.kernels.table import EACH, HOW, kernel_table
from qbench.report.kernels.view import KernelView, absent_parties, against_words
from qbench.report.limits import machine_limits, selftest
from qbench.report.page import render_template
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.results.kernels.index import Judged, Mean, mean_against
from qbench.results.reader import KernelRun


def kernel_page(runs: Sequence[KernelRun], out: Path) -> str:
    """Write the plots of a run into `out / "plots"` and return its page; raise ResultsError when it has no row."""
    (run,) = runs
    view = KernelView(run)
    if not view.rows:
        raise ResultsError(f"{run.folder}: expected a run with at least one row, got none")
    plots = kernel_plots(view)
    for plot in plots:
        write_files(plot, out / PLOTS_NAME)
    names: dict[str, Any] = {
        "view": view,
        "words": words,
        "banners": _banners(view),
        "plots": [drawn(plot, run=view.name) for plot in plots],
        "bars": _bars(view.bars),
        "means": _means(view, "sweep", view.groups()),
        "families": _means(view, "family", view.families()),
        "met": (sum(one.met for one in view.bars), len(view.bars)),
        "limits": _limits(view),
        "selftest": selftest(run.folder),
        "networks": _networks(view.header.machine.environment.get("cuda_networks", [])),
        "checks": view.header.machine.environment.get("cuda_checks", []),
        "cells": kernel_table(view),
        "groups": [(EACH, False), (HOW, False)],
        "absent": absent_parties(view.rows),
        "machine": machine.facts(view.header),
        "ceilings": machine.ceilings(view.header),
    }
    return render_template("kernels.html.j2", names)


def _banners(view: KernelView) -> list[Banner]:
    """Return (tone, sentence) for everything that a reader should know before believing the numbers."""
    failed = sum(row.status == "failed" for row in view.rows)
    found = run_banners(view.header, f"{failed} rows failed; the table gives the reasons." if failed else "")
    skipped = [row for row in view.rows if row.status == "skipped"]
    if skipped:
        found.append(("warn", f"qbench has no kernel for {len(skipped)} rows: {skipped[0].reason}."))
    return found


def _bars(bars: list[Judged]) -> Table:
    columns = (
        Column("bar", number=False),
        Column("met", number=False),
        Column("threads"),
        Column("rows"),
        Column("geometric mean"),
        Column("least"),
        Column("whose", number=False),
    )
    return Table(columns, tuple(Line(_bar_cells(one)) for one in bars))


def _bar_cells(one: Judged) -> tuple[Cell, ...]:
    bar, mean = one.bar, one.mean
    least = "" if bar.least is None else f"wanted {words.number(bar.least)}"
    missing = f"{one.absent} of {len(bar.keys)} without a value" if one.absent else ""
    return (
        Cell(bar.name, detail=f"against {against_words(bar.against)}"),
        Cell("yes" if one.met else "no", None, missing, "good" if one.met else "bad"),
        Cell(str(bar.threads)),
        Cell(str(mean.rows if mean else 0)),
        Cell(
            words.number(mean.value if mean else None), mean.value if mean else None, f"wanted {words.number(bar.mean)}"
        ),
        Cell(words.number(mean.worst if mean else None), mean.worst if mean else None, least),
        Cell(mean.worst_row.trial.cell.problem.label if mean else ""),
    )


def _means(view: KernelView, what: str, groups: Iterable[tuple[str, int, list[KernelResult]]]) -> Table:
    """Return one line for each group and number of threads: geometric means, and the least with its shape."""
    against = ("peers", *view.own_specs, "ceiling")
    columns = (
        Column(what, number=False),
        Column("threads"),
        Column("rows"),
        *(Column(f"against {against_words(one)}") for one in against),
    )
    lines = []
    for name, threads, rows in groups:
        head = (Cell(name), Cell(str(threads)), Cell(str(len(rows))))
        lines.append(Line((*head, *(_mean_cell(mean_against(rows, one)) for one in against))))
    return Table(columns, tuple(lines))


def _limits(view: KernelView) -> tuple[str, ...]:
    """Return what a reader should keep in mind of times of single operations."""
    return (
        "An operation alone, on data that it has just read, is not a network: between layers caches hold other things, "
        "and a network's gain is smaller than that of its products.",
        "Shapes were chosen by qbench's makers, from networks that they run. A mean weighs every row alike, however "
        "much of a network's time it takes.",
        *machine_limits(view.header),
    )


def _networks(rows: list[dict[str, Any]]) -> Table:
    """Return one line for each whole network on a GPU: images per second, beside another library's."""
    columns = (
        Column("network", number=False),
        Column("spec", number=False),
        Column("images at a time"),
        Column("images/s"),
        Column("beside", number=False),
        Column("its images/s"),
        Column("times as fast"),
        Column("copy to the device, ms"),
    )
    return Table(columns, tuple(Line(_network_cells(row)) for row in rows))


def _network_cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    head = (Cell(row["model"]), Cell(row["spec"]), Cell(str(row["batch"])))
    if "reason" in row:
        return (*head, Cell(words.ABSENT, None, str(row["reason"]), "bad"), *([Cell(words.ABSENT)] * 4))
    rates = dict(row["images_per_s"])
    own, peer = rates.pop(OWN), max(rates.values(), default=None)
    ratio = own / peer if peer else None
    return (
        *head,
        Cell(words.significant(own), own),
        Cell(row["peer"]),
        Cell(words.significant(peer) if peer else words.ABSENT, peer),
        Cell(words.number(ratio), ratio),
        Cell(words.number(1e3 * row["transfer_s"])),
    )


def _mean_cell(mean: Mean | None) -> Cell:
    if mean is None:
        return Cell(words.ABSENT)
    return Cell(words.number(mean.value), mean.value, f"of {mean.rows}, least {words.number(mean.worst)}")
