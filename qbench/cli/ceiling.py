"""`qbench ceiling`: what this machine can do at most."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench ceiling --threads 2")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads of the 'all' rows.")
@click.option("--quick", is_flag=True, help="Measure for a shorter time.")
def ceiling(threads: int, quick: bool) -> None:
    """Measure what this machine can do at most.

    Operations a second per instruction class, and bytes a second per memory level.
    """
    from qbench.cli.style import make_console, plain_table
    from qbench.runner import ceilings

    console = make_console()
    with console.status("measuring"):
        found = ceilings.measure(threads, quick=quick)
    table = plain_table("ceiling", "value", right=("value",))
    for name, value in found.items():
        table.add_row(name, f"{value:,.1f}")
    console.print(table)
