"""The tables of a run of kernels: `table.csv` and `trials.parquet` with every party, `table.md` with the ratios."""

from __future__ import annotations

import pandas as pd

from qbench.core.cells.result import OWN, KernelResult
from qbench.metrics.speed import gops
from qbench.results.kernels.index import Judged, ceiling_share, judged, mean_against, ratio_to, scaling
from qbench.results.reader import KernelRun

_COLUMNS = (
    "problem", "spec", "out", "threads", "Gop/s", "% of ceiling", "scaling", "best other library", "its Gop/s",
    "qbench is x times as fast", "reason",
)  # fmt: skip


def kernel_markdown(run: KernelRun, _table: pd.DataFrame) -> str:
    """Return bars, then one table per sweep, as Markdown."""
    header = run.header
    lines = [f"# {header.suite.title or header.suite.name}", "", f"Run of {header.created_utc}.", ""]
    bars = judged(run)
    if bars:
        lines += ["| bar | threads | against | mean | least | wanted | met |", "|---|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(bar_cells(one))} |" for one in bars] + [""]
    for sweep in dict.fromkeys(result.trial.sweep for result in run.results):
        rows = [result for result in run.results if result.trial.sweep == sweep]
        lines += [f"## {sweep}", ""]
        for threads in sorted({row.trial.cell.threads for row in rows}):
            mean = mean_against([row for row in rows if row.trial.cell.threads == threads], "peers")
            if mean:
                words = f"geometric mean over {mean.rows} shapes {mean.value:.2f}, least {mean.worst:.2f}"
                lines += [f"Against the best other library of each shape, {threads} threads: {words}.", ""]
        lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
        lines += ["| " + " | ".join(_cells(row, run)) + " |" for row in rows] + [""]
    return "\n".join(lines)


def bar_cells(one: Judged) -> tuple[str, ...]:
    """Return name, threads, against, mean, least, what is wanted, and whether it is met, as words."""
    bar, mean = one.bar, one.mean
    wanted = f">= {bar.mean:g}" + ("" if bar.least is None else f", no shape under {bar.least:g}")
    known = {"peers": "best library of each shape", "ceiling": "measured ceiling", "bandwidth": "measured bandwidth"}
    against = known.get(bar.against, bar.against)
    word = "yes" if one.met else f"no, {one.absent} of {len(bar.keys)} without a value" if one.absent else "no"
    value = f"{mean.value:.3f}" if mean else ""
    worst = f"{mean.worst:.3f} ({mean.worst_row.trial.cell.problem.label})" if mean else ""
    return bar.name, str(bar.threads), against, value, worst, wanted, word


def _cells(row: KernelResult, run: KernelRun) -> tuple[str, ...]:
    cell, own, best = row.trial.cell, row.measured(OWN), row.best_peer
    share, ratio = ceiling_share(row, own), ratio_to(row, "peers")
    grown = scaling(row, run.results) if cell.threads > 1 else None
    return (
        cell.problem.label,
        cell.spec,
        cell.out,
        str(cell.threads),
        f"{gops(own):.0f}" if own else "",
        f"{100 * share:.0f}" if share is not None else "",
        f"{grown:.2f}" if grown is not None else "",
        best.cell if best else "",
        f"{gops(best):.0f}" if best else "",
        f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "",
        row.reason,
    )
