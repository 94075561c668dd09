"""What `run` does with a suite of `kind: cuda`, and the table of what the compiler makes of the CUDA kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from qbench.cli.kernels import kernel_line, show_kernels
from qbench.cli.progress import Watch
from qbench.cli.style import make_console, plain_table
from qbench.core.cells.result import KernelResult


def run_cuda_suite(path: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...], *, quick: bool) -> int:
    """Run a suite on the first GPU, write its report, and show what came of it; return the exit code."""
    from qbench.errors import MachineError
    from qbench.kernels.cuda.checks import family
    from qbench.report.kernels.write import write_kernel_report
    from qbench.results import read_run
    from qbench.runner.cuda.experiment import run_cuda
    from qbench.runner.cuda.suite import load_cuda_suite
    from qbench.suite import expand_kernels

    reason = family.unavailable()
    if reason is not None:
        raise MachineError(reason)
    filters = () if filter_text is None else (f"filter={json.dumps(filter_text)}",)
    suite = load_cuda_suite(path, overrides=(*overrides, *filters))
    console = make_console()
    with Watch(console) as watch:
        watch.begin(len(expand_kernels(suite)), {}, cached=0, what="rows")

        def finished(result: KernelResult) -> None:
            watch.finish(result.trial.key, kernel_line(result), failed=result.status == "failed")

        folder = run_cuda(suite, results_root=out, tell=watch.on_phase, finished=finished, quick=quick)
        watch.on_phase("drawing the report")
        page = write_kernel_report(folder, folder)
    found = read_run(folder)
    show_kernels(console, found)
    wrong = [row for row in found.header.environment.get("cuda_checks", []) if row["detail"]]
    for row in wrong:
        console.print(f"wrong  {row['operation']} by {row['variant']}: {row['detail']}", markup=False, style="red")
    show_networks(console, found.header.environment.get("cuda_networks", []))
    for name, value in found.header.ceilings.items():
        console.print(f"ceiling  {name}  {value:,.0f}", markup=False, highlight=False)
    for name, target in (("tables", folder / "table.md"), ("report", page)):
        console.print(f"{name}  {target}", markup=False, highlight=False, soft_wrap=True)
    lost = any("reason" in row for row in found.header.environment.get("cuda_networks", []))
    return 1 if wrong or lost or any(result.status == "failed" for result in found.results) else 0


def show_networks(console: Console, networks: list[dict[str, Any]]) -> None:
    """Print images per second of whole networks, beside the other library's, or why there are none."""
    table = plain_table("network", "spec", "batch", "images/s", "beside", "its images/s", "times", "copy to device, ms")
    for row in networks:
        if "reason" in row:
            console.print(f"failed  {row['model']}: {row['reason']}", markup=False, highlight=False, style="red")
            continue
        rates = dict(row["images_per_s"])
        own = rates.pop("qbench")
        other = max(rates.values(), default=0.0)
        numbers = (f"{other:,.0f}", f"{own / other:.2f}") if other else ("", "")
        transfer = f"{1e3 * row['transfer_s']:.2f}"
        table.add_row(row["model"], row["spec"], str(row["batch"]), f"{own:,.0f}", row["peer"], *numbers, transfer)
    if table.rows:
        console.print(table)


def show_ptx() -> int:
    """Print registers, spills and the intended instruction of every CUDA kernel; return 1 when one spills."""
    from qbench.kernels.cuda.checks.listing import rows

    table = plain_table("kernel", "epilogue", "target", "instruction", "count", "registers", "spilled bytes")
    spilled = 0
    for capability in (80, 90):
        for row in rows(capability):
            spilled += row.has_local_memory or bool(row.spilled_bytes)
            known = ("", "") if row.registers is None else (str(row.registers), str(row.spilled_bytes))
            table.add_row(row.name, row.words, row.target, row.instruction, str(row.count), *known)
    make_console().print(table)
    return 1 if spilled else 0
