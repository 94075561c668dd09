"""`qbench plan`: what a run would do, without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qbench.cli.options import load, suite_options

if TYPE_CHECKING:
    from qbench.runner import Plan


@click.command(epilog="Example: qbench plan suites/resnet.yaml --filter 'bits <= 4 and method == mse'")
@suite_options
@click.option("--quick", is_flag=True, help="Plan for shorter times of measuring.")
@click.option("--fresh", is_flag=True, help="Plan as if nothing had been run before.")
def plan(suite: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...], quick: bool, fresh: bool) -> None:
    """Show what a run would do.

    Lists the trials of SUITE: which are new, cached or skipped (and why), and how long they may take.
    """
    from qbench.runner import plan_run

    _show(plan_run(load(suite, filter_text, overrides), out, fresh=fresh, quick=quick))


def _show(found: Plan) -> None:
    from qbench.cli.style import duration, make_console, plain_table

    console = make_console()
    table = plain_table("trial", "measure", "state", "estimate", "reason", right=("estimate",))
    for item in found.planned:
        key = item.trial.key
        state = "cached" if key in found.cached else "skipped" if item.reason else "new"
        estimate = "" if state != "new" else f"{found.estimates_s[key]:.1f} s"
        table.add_row(key, " ".join(item.measure), state, estimate, item.reason)
    console.print(table)
    for remark in found.remarks:
        console.print(remark, markup=False, highlight=False)
    to_run = len([item for item in found.new if not item.reason])
    console.print(
        f"{len(found.planned)} trials: {to_run} to run, {len(found.cached)} cached, {len(found.skipped)} skipped; "
        f"about {duration(found.estimate_s)}",
        highlight=False,
    )
    where = f"continues {found.folder}" if found.folder else "starts a new run"
    console.print(where, markup=False, highlight=False)
