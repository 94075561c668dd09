"""How plans, rows and runs of kernels look on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qbench.cli.cuda import show_networks
from qbench.cli.kind import Words
from qbench.cli.terminal.style import plain_table
from qbench.core.cells.result import OWN, KernelResult, KernelTrial
from qbench.metrics.speed import gops
from qbench.results.kernels.index import ceiling_share, judged, ratio_to
from qbench.results.kernels.tables import bar_cells

if TYPE_CHECKING:
    from qbench.results import KernelRun
    from qbench.runner import Plan


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


def show_kernels(console: Console, run: KernelRun, *, verbose: bool = False) -> None:
    """Print the means of every sweep, the bars, and what went wrong; every row too where `verbose` is true."""
    from qbench.report.kernels.kind import kernel_answer

    for result in run.results if verbose else ():
        console.print(kernel_line(result), soft_wrap=True)
    found = kernel_answer(run)
    for line in found.lines:
        console.print(line, soft_wrap=True)
    table = plain_table(*found.headings, right=("threads", "mean", "least"))
    for cells in found.rows:
        table.add_row(*cells)
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

    show_networks(console, run.header.machine.environment.get("cuda_networks", []))
    if run.header.device == "cuda":
        for name, value in run.header.machine.ceilings.items():
            console.print(f"ceiling  {name}  {value:,.0f}", markup=False, highlight=False)


def faults(run: KernelRun) -> list[str]:
    """Return a line for every kernel that was found wrong before anything was timed."""
    checks = [row for machine in run.header.machines.values() for row in machine.environment.get("cuda_checks", [])]
    return [f"wrong  {row['operation']} by {row['variant']}: {row['detail']}" for row in checks if row["detail"]]


def show_kernel_plan(console: Console, plan: Plan) -> None:
    """Show every row of a plan."""
    table = plain_table("row", "state", "own", "peers", right=("peers",))
    for job in plan.jobs:
        assert isinstance(job.trial, KernelTrial)
        state = "cached" if job.trial.key in plan.cached else "new"
        table.add_row(job.trial.key, state, " ".join(job.trial.own), str(len(job.trial.peers)))
    console.print(table)


KERNELS = Words("rows", kernel_line, show_kernel_plan, show_kernels, faults)
