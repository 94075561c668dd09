"""The page of kernels, in the table of kinds."""

from __future__ import annotations

from qbench.report import words
from qbench.report.kernels.page import kernel_page
from qbench.report.kernels.plots import kernel_plots
from qbench.report.kernels.view import KernelView
from qbench.report.kind import Answered, PageKind
from qbench.results.kernels.index import mean_against
from qbench.results.reader import KernelRun


def kernel_answer(run: KernelRun) -> Answered:
    """Return how qbench stands beside the best other library of each shape, as a whole and by sweep."""
    view, rows = KernelView(run), []
    for sweep, threads, group in view.groups():
        mean = mean_against(group, "peers")
        if mean is not None:
            label = mean.worst_row.trial.cell.problem.label
            shown = f"{mean.rows} of {len(group)}"
            rows.append((sweep, str(threads), shown, words.number(mean.value), words.number(mean.worst), label))
    return Answered((view.headline,), ("sweep", "threads", "rows", "mean", "least", "its shape"), tuple(rows))


KERNELS = PageKind(kernel_page, False, lambda run: kernel_plots(KernelView(run)), kernel_answer)
