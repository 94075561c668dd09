"""The page of networks, in the table of kinds: one run, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qbench.report.best import answer_lines, widths_table
from qbench.report.figures import PLOTS_NAME, drawn, write_files
from qbench.report.kind import Answered, PageKind
from qbench.report.page import render, section
from qbench.report.plots import PLOTS
from qbench.report.plots.plot import Plot
from qbench.report.view import RunView, view_of
from qbench.results import NetworkRun


def network_page(runs: Sequence[NetworkRun], out: Path) -> str:
    """Write the plots of every run into `out / "plots"` and return the page that shows them."""
    sections = []
    for number, view in enumerate(map(view_of, runs), 1):
        plots = make_plots(view)
        for plot in plots:
            write_files(plot, out / PLOTS_NAME, prefix=f"{view.name}-" if len(runs) > 1 else "")
        sections.append(section(view, [drawn(plot, run=view.name) for plot in plots], number=number))
    return render(sections)


def make_plots(view: RunView) -> Sequence[Plot]:
    """Return the plots that the run has data for, in the order of the table of plots."""
    made = (PLOTS.load(name)(view) for name in PLOTS)
    return [plot for plot in made if plot is not None]


def network_answer(run: NetworkRun) -> Answered:
    """Return the answer of a run, and the best row of each width."""
    view = view_of(run)
    widths = widths_table(view)
    return Answered((*answer_lines(view), *widths.notes), widths.headings, widths.rows)


NETWORKS = PageKind(network_page, True, lambda run: make_plots(view_of(run)), network_answer)
