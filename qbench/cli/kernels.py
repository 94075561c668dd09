"""What `run`, `plan` and `report` do with a suite or a run of kernels, and how its rows look on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from qbench.cli.progress import Watch
from qbench.cli.style import duration, make_console, plain_table
from qbench.core.cells.result import OWN, KernelResult, KernelTrial
from qbench.metrics.speed import gops
from qbench.results.kernels.index import ceiling_share, judged, mean_against, ratio_to
from qbench.results.kernels.tables import bar_cells

if TYPE_CHECKING:
    from qbench.results import KernelRun
    from qbench.runner.kernels.plan import KernelPlan
    from qbench.suite import KernelSuite


def load_kernels(suite: Path, filter_text: str | None, overrides: tuple[str, ...]) -> KernelSuite:
    """Return the kernel suite with what the command line changes in it."""
    from qbench.suite import load_kernel_suite

    filters = () if filter_text is None else (f"filter={json.dumps(filter_text)}",)
    return load_kernel_suite(suite, overrides=(*overrides, *filters))


class KernelWatch(Watch):
    """Shows on the terminal what a run of kernels reports (`qbench.runner.kernels.experiment.KernelObserver`)."""

    def on_plan(self, plan: KernelPlan) -> None:
        """Show how much there is to do."""
        estimates_s = {trial.key: plan.trial_s(trial) for trial in plan.new}
        self.begin(len(plan.new), estimates_s, cached=len(plan.cached), what="rows")

    def on_kernel_start(self, trial: KernelTrial) -> None:
        """Name the row in the bar."""
        self.name(trial.key)

    def on_kernel_end(self, result: KernelResult) -> None:
        """Advance the bar; without a terminal, and for what failed, write a line."""
        self.finish(result.trial.key, kernel_line(result), failed=result.status == "failed")


def kernel_line(result: KernelResult) -> str:
    """Return one row as one line: its key, qbench's speed and share of the ceiling, and the best other library."""
    own, best = result.measured(OWN), result.best_peer
    head = f"{result.status:8}{result.trial.key}"
    parts = [head if own else f"{head}: {result.reason}"]
    if own:
        share = ceiling_share(result, own)
        parts.append(f"{gops(own):,.0f} Gop/s" + (f", {100 * share:.0f} % of the ceiling" if share else ""))
    if best:
        ratio = ratio_to(result, "peers")
        parts.append(f"{ratio.ratio:.2f} x {best.cell}" if ratio else f"{best.cell} {gops(best):,.0f} Gop/s")
    return "  ".join(parts)


def run_kernel_suite(suite: KernelSuite, out: Path, *, quick: bool, fresh: bool) -> int:
    """Run a kernel suite, write its report, and show what came of it; return the exit code."""
    from qbench.report.kernels.write import write_kernel_report
    from qbench.results import read_run
    from qbench.runner.kernels.experiment import run_kernels

    console = make_console()
    with KernelWatch(console) as watch:
        folder = run_kernels(suite, results_root=out, observer=watch, quick=quick, fresh=fresh)
        watch.on_phase("drawing the report")
        page = write_kernel_report(folder, folder)
    found = read_run(folder)
    show_kernels(console, found)
    for name, path in (("tables", folder / "table.md"), ("report", page)):
        console.print(f"{name}  {path}", markup=False, highlight=False, soft_wrap=True)
    return 1 if any(result.status == "failed" for result in found.results) else 0


def remake_kernel_report(run: Path, out: Path | None) -> None:
    """Remake tables, plot and page of a run of kernels, and print their paths."""
    from qbench.report.kernels.write import write_kernel_report
    from qbench.results import read_run, write_tables

    found = read_run(run)
    for path in write_tables(found) if out is None else ():
        click.echo(path)
    click.echo(write_kernel_report(found.folder, out or found.folder))


def show_kernels(console: Console, run: KernelRun) -> None:
    """Print the means of every sweep, the bars, and what went wrong."""
    table = plain_table("sweep", "threads", "rows", "mean", "least", "its shape", right=("threads", "mean", "least"))
    for sweep in dict.fromkeys(result.trial.sweep for result in run.results):
        for threads in sorted({result.trial.cell.threads for result in run.results}):
            rows = [row for row in run.results if (row.trial.sweep, row.trial.cell.threads) == (sweep, threads)]
            mean = mean_against(rows, "peers")
            if mean:
                label = mean.worst_row.trial.cell.problem.label
                words = f"{mean.rows} of {len(rows)}"
                table.add_row(sweep, str(threads), words, f"{mean.value:.2f}", f"{mean.worst:.2f}", label)
    if table.rows:
        console.print("qbench against the best other library of each shape, geometric mean")
        console.print(table)
    bars = plain_table("bar", "threads", "against", "mean", "least", "wanted", "met", right=("threads", "mean"))
    for one in judged(run):
        bars.add_row(*bar_cells(one))
    if bars.rows:
        console.print(bars)
    for result in run.results:
        if result.status == "failed":
            console.print(f"failed  {result.trial.key}: {result.reason}", markup=False, highlight=False, style="red")
    if run.header.unstable:
        console.print("the machine was unstable while times were taken: see the report", style="yellow")


def show_kernel_plan(plan: KernelPlan) -> None:
    """Print every row of a plan, and how long it may take."""
    console = make_console()
    table = plain_table("row", "state", "own", "peers", right=("peers",))
    for trial in plan.trials:
        state = "cached" if trial.key in plan.cached else "new"
        table.add_row(trial.key, state, " ".join(trial.own), str(len(trial.peers)))
    console.print(table)
    words = f"{len(plan.trials)} rows: {len(plan.new)} to run, {len(plan.cached)} cached"
    console.print(f"{words}; about {duration(plan.estimate_s)}", highlight=False)
    where = f"continues {plan.folder}" if plan.folder else "starts a new run"
    console.print(where, markup=False, highlight=False)
