"""`qbench ceiling`: the most this machine can do."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench ceiling --threads 2")
@click.option(
    "--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads for the rows named 'all'."
)
@click.option("--cuda", is_flag=True, help="Measure the first GPU instead.")
@click.option("--quick", is_flag=True, help="Measure for a shorter time.")
def ceiling(threads: int, cuda: bool, quick: bool) -> None:
    """Measure the most this machine can do.

    Billions of operations per second for each instruction class (Gop/s), and of bytes for each memory level (GB/s).
    """
    from qbench.cli.terminal.style import make_console, plain_table
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
