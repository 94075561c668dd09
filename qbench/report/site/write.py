"""Writing a site: the first page, and for every run a folder with its page, its plots and its files to download."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qbench.errors import QBenchError, ResultsError
from qbench.report import words
from qbench.report.figures import PLOTS_NAME, drawn, write_files
from qbench.report.page import render_template
from qbench.report.site.listing import kernel_runs, versions_text
from qbench.report.site.matrix import best_of_machines, entries, matrix
from qbench.report.site.shown import Gathered, Shown, gather
from qbench.report.site.trends import trends
from qbench.report.write import write_page, write_report
from qbench.results import write_tables
from qbench.results.header import FILE_NAME
from qbench.results.reader import ROWS_NAME

INDEX_NAME, RUNS_NAME = "index.html", "runs"
DOWNLOADS = (ROWS_NAME, "table.csv", "trials.parquet", FILE_NAME)
"""Files of a run that its line on the site leads to."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Site:
    """What was written: the first page, how many runs it shows, and a line for each one that was refused."""

    page: Path
    shown: int
    refused: tuple[str, ...]


def write_site(runs: Sequence[Path], out: Path, *, title: str = "", tell: Tell = lambda _: None) -> Site:
    """Write a static site of runs into `out`: `index.html`, and `runs/<run>/` for each.

    Args:
        runs: folders of runs, or folders that hold some.
        out: made when it is missing; runs in it that are not among `runs` stay, unlinked.
        title: of the site.
        tell: called with each run that is written.

    Raises:
        ResultsError: a path leads nowhere, no run is left, or the site cannot be written.
    """
    found = gather(runs)
    shown, refused = [], list(found.refused)
    for run in found.runs:
        tell(run.name_here)
        try:
            _write_run(run, out / RUNS_NAME / run.name_here)
        except QBenchError as error:
            if not isinstance(error, ResultsError) or "cannot write" in str(error):
                raise
            refused.append(str(error))
        else:
            shown.append(run)
    if not shown:
        raise ResultsError(refused[0])
    page = write_page(out / INDEX_NAME, site_page(Gathered(tuple(shown), tuple(refused)), out, title=title))
    return Site(page, len(shown), tuple(refused))


def _write_run(shown: Shown, folder: Path) -> None:
    """Copy a run's files and make the others from them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (FILE_NAME, ROWS_NAME):
            if not (folder / name).exists() or not (folder / name).samefile(shown.run.folder / name):
                shutil.copyfile(shown.run.folder / name, folder / name)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot write: {error.strerror}") from error
    write_tables(replace(shown.run, folder=folder))
    write_report([folder], folder)


def site_page(found: Gathered, out: Path, *, title: str) -> str:
    """Write the plots of trends into `out / "plots"` and return the first page's HTML."""
    told = entries(found.runs)
    plots = list(trends(found.runs))
    for plot in plots:
        write_files(plot, out / PLOTS_NAME)
    names: dict[str, Any] = {
        "title": title or "Published runs",
        "headline": _headline(found, len(told)),
        "runs": found.runs,
        "refused": found.refused,
        "matrix": matrix(told),
        "best": best_of_machines(found.runs),
        "kernels": kernel_runs(found.runs),
        "plots": [drawn(plot, run="site") for plot in plots],
        "downloads": DOWNLOADS,
        "versions": versions_text,
        "words": words,
    }
    return render_template("site.html.j2", names)


def _headline(found: Gathered, timed: int) -> str:
    """Return what the site holds, in a sentence."""
    networks = {run.header.model.name for run in found.runs if run.is_network}
    machines = {run.machine_id for run in found.runs}
    parts = [words.counted(len(found.runs), "run"), *([words.counted(len(networks), "network")] if networks else [])]
    return f"{', '.join(parts)}, {words.counted(len(machines), 'machine')}" + (
        "" if timed else ": no network was timed"
    )
