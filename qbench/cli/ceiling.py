"""`qbench ceiling`: the most this machine can do."""

from __future__ import annotations

import click

from qbench.cli.told import json_option, tell_json, wide_option


@click.command(epilog="Example: qbench ceiling --threads 2")
@click.option(
    "--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads for the rows named 'all'."
)
@click.option("--cuda", is_flag=True, help="Measure the first GPU instead.")
@click.option("--quick", is_flag=True, help="Measure for a shorter time.")
@json_option
@wide_option
def ceiling(threads: int, cuda: bool, quick: bool, as_json: bool) -> int:
    """Measure the most this machine can do.

    Billions of operations per second for each instruction class (Gop/s), and of bytes for each memory level (GB/s).
    """
    from qbench.cli.terminal.style import make_console, print_fitting
    from qbench.runner.machine import ceilings

    console = make_console()
    with make_console(errors=True).status("measuring"):
        if cuda:
            from qbench.runner.cuda.worker import Worker

            with Worker() as worker:
                found = worker.ask("ceilings", quick)
        else:
            found = ceilings.measure(threads, quick=quick)
    if as_json:
        return tell_json("ceiling", ceilings=found)
    rows = [(name, f"{value:,.1f}") for name, value in found.items()]
    print_fitting(console, rows, headings=("ceiling", "value"), right=("value",))
    return 0
