"""`qbench selftest-timing`: how often verdicts about times are wrong on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.files import write
from qbench.cli.told import json_option, tell_json


@click.command(epilog="Example: qbench selftest-timing --seconds 240 -o selftest.md")
@click.argument("suite", type=click.Path(path_type=Path), default=Path("selftest_timing"))
@click.option("--seconds", default=240.0, show_default=True, help="Time for all comparisons, half beside a neighbour.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Also write the table to this Markdown file.")
@json_option
def selftest_timing(suite: Path, seconds: float, out: Path | None, as_json: bool) -> int:
    """Show what verdicts about times are worth on this machine.

    These sources are compared with themselves as `qbench ab` compares, many times: some rows as they are, some with 5 %
    and some with 10 % planted in the call; on the machine as it is, then with another core kept busy. The table counts
    what was said. The exit code is 1 if a row that was left alone was called faster or slower, or a delayed one the
    same or faster.
    """
    from qbench.cli.terminal.style import make_console
    from qbench.runner.machine import environment, lock
    from qbench.runner.sides.selftest import selftest, tally_lines
    from qbench.suite import find_suite

    path = find_suite(suite)
    with lock.timing():
        tallies = selftest(path, seconds=seconds, tell=lambda text: click.echo(text, err=True))
    where = f"{environment.describe()['cpu_model']}, suite {path.stem}:"
    text = "\n".join([where, "", *tally_lines(tallies), ""])
    if out is not None:
        write(out, text)
    code = 1 if any(one.false for one in tallies) else 0
    if as_json:
        return tell_json("selftest-timing", exit_code=code, suite=path, tallies=tallies)
    make_console().print(text, soft_wrap=True)
    return code
