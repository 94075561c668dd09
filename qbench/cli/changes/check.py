"""`qbench check`: a run judged by what its suite expects, a gate that needs no other run."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.changes.gates import file_options, gate_of, gate_options, show_objections, tell_file, tell_github
from qbench.cli.files import write


@click.command(epilog="Example: qbench check results/mine/latest --junit check.xml")
@click.argument("run", type=click.Path(path_type=Path))
@gate_options
@file_options
@click.option("-v", "--verbose", is_flag=True, help="Say what holds too, in a sentence each.")
def check(
    run: Path, allow: str, soft: int, json_file: Path | None, junit: Path | None, github: bool, verbose: bool
) -> int:
    """Judge a run by what its suite expects.

    A suite of networks says so by `expect`, one of kernels by `bars`. Rows that are missing, skipped or failed show
    nothing, and are objections.

    Exit codes: 0 everything is shown to hold, 1 something is not, each named in a line, 2 wrong input, 3 (or --soft)
    something cannot be told from the samples that there are.
    """
    from qbench.cli.terminal.style import make_console, say
    from qbench.results import read_run
    from qbench.results.gates.judged import checked

    gate = gate_of("", allow, soft)
    found = checked(read_run(run), gate)
    if junit is not None:
        write(junit, found.junit())
    if tell_file(json_file, "check", found.code, found.facts()):
        return found.code
    console = make_console()
    say(console, f"{found.held} hold, {len(found.objections)} do not, {len(found.questions)} cannot be told")
    show_objections(console, found.wrong)
    for one in found.met if verbose else ():
        say(console, f"holds: {one.key}: {one.text}")
    if github:
        tell_github(found.wrong, found.markdown())
    return found.code
