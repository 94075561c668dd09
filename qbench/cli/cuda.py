"""Whole networks of earlier runs on a GPU, and the table of what the compiler makes of the CUDA kernels."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from qbench.cli.terminal.style import make_console, plain_table


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
