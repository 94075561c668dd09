"""`qbench ceiling`: what this machine can do at most."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench ceiling --threads 2")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads of the 'all' rows.")
@click.option("--cuda", is_flag=True, help="Measure the first GPU instead.")
@click.option("--quick", is_flag=True, help="Measure for a shorter time.")
def ceiling(threads: int, cuda: bool, quick: bool) -> None:
    """Measure what this machine can do at most.

    Operations a second per instruction class, and bytes a second per memory level.
    """
    from qbench.cli.style import make_console, plain_table
    from qbench.runner.machine import ceilings

    console = make_console()
    with console.status("measuring"):
        if cuda:
            from qbench.runner.cuda.worker import Worker

            with Worker() as worker:
                found = worker.ask("ceilings", quick)
        else:
            found = ceilings.measure(threads, quick=quick)
    table = plain_table("ceiling", "value", right=("value",))
    for name, value in found.items():
        table.add_row(name, f"{value:,.1f}")
    console.print(table)
