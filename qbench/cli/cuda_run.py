"""What `run` does with a suite of `kind: cuda`, and the table of what the compiler makes of the CUDA kernels."""

from __future__ import annotations

import json
from pathlib import Path

from qbench.cli.kernel_run import kernel_line, show_kernels
from qbench.cli.progress import Watch
from qbench.cli.style import make_console, plain_table
from qbench.core.kernel_result import KernelResult


def run_cuda_suite(path: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...], *, quick: bool) -> int:
    """Run a suite on the first GPU, write its report, and show what came of it; return the exit code."""
    from qbench.report.kernel_write import write_kernel_report
    from qbench.results.kernel_reader import read_kernel_run
    from qbench.runner.cuda.experiment import run_cuda
    from qbench.runner.cuda.suite import load_cuda_suite
    from qbench.suite import expand_kernels

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
    found = read_kernel_run(folder)
    show_kernels(console, found)
    wrong = [row for row in found.header.environment.get("cuda_checks", []) if row["detail"]]
    for row in wrong:
        console.print(f"wrong  {row['operation']} by {row['variant']}: {row['detail']}", markup=False, style="red")
    for name, value in found.header.ceilings.items():
        console.print(f"ceiling  {name}  {value:,.0f}", markup=False, highlight=False)
    for name, target in (("tables", folder / "table.md"), ("report", page)):
        console.print(f"{name}  {target}", markup=False, highlight=False, soft_wrap=True)
    return 1 if wrong or any(result.status == "failed" for result in found.results) else 0


def show_ptx() -> int:
    """Print registers, spills and the intended instruction of every CUDA kernel; return 1 when one spills."""
    from qbench.kernels.cuda.listing import rows

    table = plain_table("kernel", "epilogue", "target", "instruction", "count", "registers", "spilled bytes")
    spilled = 0
    for capability in (80, 90):
        for row in rows(capability):
            spilled += row.has_local_memory or bool(row.spilled_bytes)
            known = ("", "") if row.registers is None else (str(row.registers), str(row.spilled_bytes))
            table.add_row(row.name, row.words, row.target, row.instruction, str(row.count), *known)
    make_console().print(table)
    return 1 if spilled else 0
