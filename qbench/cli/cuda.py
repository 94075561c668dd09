"""Whole networks of earlier runs on a GPU, and the table of what the compiler makes of the CUDA kernels."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from qbench.cli.terminal.style import make_console, print_fitting, say
from qbench.cli.told import tell_json


def show_networks(console: Console, networks: list[dict[str, Any]]) -> None:
    """Print images per second of whole networks, beside the other library's, or why there are none."""
    headings = ("network", "spec", "batch", "images/s", "beside", "its images/s", "times", "copy to device, ms")
    rows = []
    for row in networks:
        if "reason" in row:
            say(console, f"failed  {row['model']}: {row['reason']}", style="red")
            continue
        rates = dict(row["images_per_s"])
        own = rates.pop("qbench")
        other = max(rates.values(), default=0.0)
        numbers = (f"{other:,.0f}", f"{own / other:.2f}") if other else ("", "")
        transfer = f"{1e3 * row['transfer_s']:.2f}"
        rows.append((row["model"], row["spec"], str(row["batch"]), f"{own:,.0f}", row["peer"], *numbers, transfer))
    if rows:
        print_fitting(console, rows, headings=headings, drop=("copy to device, ms", "its images/s"), right=headings[2:])


def show_ptx(*, as_json: bool = False) -> int:
    """Print registers, spills and the intended instruction of every CUDA kernel; return 1 when one spills."""
    from qbench.kernels.cuda.checks.listing import rows

    headings = ("kernel", "epilogue", "target", "instruction", "count", "registers", "spilled bytes")
    found = [row for capability in (80, 90) for row in rows(capability)]
    code = 1 if any(row.has_local_memory or row.spilled_bytes for row in found) else 0
    if as_json:
        return tell_json("assembly", exit_code=code, kernels=found)
    cells = []
    for row in found:
        known = ("", "") if row.registers is None else (str(row.registers), str(row.spilled_bytes))
        cells.append((row.name, row.words, row.target, row.instruction, str(row.count), *known))
    print_fitting(make_console(), cells, headings=headings, drop=("target", "epilogue"), right=headings[4:])
    return code
