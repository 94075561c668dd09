"""`qbench check`: a run judged by what its suite expects, a gate that needs no other run."""

from __future__ import annotations

from pathlib import Path

import click

from qbench.cli.changes.gates import file_options, gate_of, gate_options, show_objections, tell_github, write


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
    from qbench.results.gates.verdicts import check_json, check_junit, check_markdown
    from qbench.results.kind import row_kind

    gate, found = gate_of("", allow, soft), read_run(run)
    objections, questions = gate.objections_alone(found), gate.open_questions(found)
    code = gate.exit_code(objections, questions)
    wrong = (*objections, *questions)
    if junit is not None:
        write(junit, check_junit(found, wrong))
    if json_file == Path("-"):
        click.echo(check_json(found, wrong, code=code), nl=False)
        return code
    if json_file is not None:
        write(json_file, check_json(found, wrong, code=code))
    met = [one for one in row_kind(found.header.kind).shown(found) if one.outcome == "met"]
    held = len(met)
    bars = len(found.header.suite.bars) - sum(one.word == "bars" for one in objections)
    console = make_console()
    say(console, f"{held + bars} hold, {len(objections)} do not, {len(questions)} cannot be told")
    show_objections(console, wrong)
    for one in met if verbose else ():
        say(console, f"holds: {one.key}: {one.text}")
    if github:
        tell_github(wrong, check_markdown(found, wrong))
    return code
