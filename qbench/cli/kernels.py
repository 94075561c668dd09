"""How plans, rows and runs of kernels look on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qbench.cli.cuda import show_networks
from qbench.cli.kind import Words, state_of
from qbench.cli.terminal.style import print_fitting, say
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
        say(console, kernel_line(result))
    found = kernel_answer(run)
    for line in found.lines:
        say(console, line)
    if found.rows:
        say(console, "qbench against the best other library of each shape, geometric mean")
        print_fitting(console, found.rows, headings=found.headings, right=("threads", "mean", "least"))
    bars = [bar_cells(one) for one in judged(run)]
    if bars:
        headings = ("bar", "threads", "against", "mean", "least", "wanted", "met")
        print_fitting(console, bars, headings=headings, drop=("least",), wrap=("bar",), right=("threads", "mean"))
    for result in run.results:
        if result.status == "failed":
            say(console, f"failed  {result.trial.key}: {result.reason}", style="red")
    if run.header.unstable:
        console.print("the machine was unstable while times were taken: see the report", style="yellow")

    show_networks(console, run.header.machine.environment.get("cuda_networks", []))
    if run.header.device == "cuda":
        for name, value in run.header.machine.ceilings.items():
            say(console, f"ceiling  {name}  {value:,.0f}")


def faults(run: KernelRun) -> list[str]:
    """Return a line for every kernel that was found wrong before anything was timed."""
    checks = [row for machine in run.header.machines.values() for row in machine.environment.get("cuda_checks", [])]
    return [f"wrong  {row['operation']} by {row['variant']}: {row['detail']}" for row in checks if row["detail"]]


def show_kernel_plan(console: Console, plan: Plan) -> None:
    """Show every row of a plan."""
    rows = []
    for job in plan.jobs:
        assert isinstance(job.trial, KernelTrial)
        rows.append((job.trial.key, state_of(plan, job), " ".join(job.trial.own), str(len(job.trial.peers))))
    print_fitting(console, rows, headings=("row", "state", "own", "peers"), drop=("own", "peers"), right=("peers",))


KERNELS = Words("rows", kernel_line, show_kernel_plan, show_kernels, faults)
