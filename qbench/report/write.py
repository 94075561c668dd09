"""Writing a report: the plots' files and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qbench.errors import ResultsError
from qbench.report.figures import drawn, write_files
from qbench.report.page import render, section
from qbench.report.plots import PLOTS
from qbench.report.plots.plot import Plot
from qbench.report.view import RunView, load

PAGE_NAME = "report.html"
PLOTS_NAME = "plots"


def write_report(runs: list[Path], out: Path) -> Path:
    """Write `plots/*.svg`, `plots/*.png` and `report.html` into `out` and return the path of the page.

    Args:
        runs: folders of runs; with more than one, the page shows them side by side.
        out: folder to write into, made when it is missing; usually the run's own.

    Raises:
        ResultsError: a run cannot be read, or the folder cannot be written.
    """
    if not runs:
        raise ResultsError("report: expected the folder of at least one run, got none")
    views = [load(run) for run in runs]
    sections = []
    for view in views:
        plots = make_plots(view)
        prefix = f"{view.name}-" if len(views) > 1 else ""
        for plot in plots:
            write_files(plot, out / PLOTS_NAME, prefix=prefix)
        sections.append(section(view, [drawn(plot, run=view.name) for plot in plots]))
    return write_page(out / PAGE_NAME, render(sections))


def write_page(page: Path, content: str) -> Path:
    """Write a page in one step, with its folder, and return its path; raise ResultsError when it cannot be written."""
    fresh = page.with_name(f".{page.name}.new")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(page)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ResultsError(f"{page}: cannot write: {error.strerror}") from error
    return page


def make_plots(view: RunView) -> Sequence[Plot]:
    """Return the plots that the run has data for, in the order of the table of plots."""
    made = (PLOTS.load(name)(view) for name in PLOTS)
    return [plot for plot in made if plot is not None]
