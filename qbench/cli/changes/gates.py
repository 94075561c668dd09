"""What the commands that judge share: the options of a gate, its objections on the terminal, in files and on GitHub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qbench.cli.files import write
from qbench.cli.told import told
from qbench.errors import QBenchError, suggest

if TYPE_CHECKING:
    from rich.console import Console

    from qbench.results.gates.gate import Gate, Objection

Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_LINES = 15
"""Objections that the terminal shows; files hold all."""


def gate_options(command: Command) -> Command:
    """Add --allow and --soft."""
    for option in (
        click.option(
            "--soft",
            is_flag=False,
            flag_value=0,
            default=3,
            type=click.IntRange(0, 255),
            metavar="[CODE]",
            help="Exit code where something that is guarded cannot be judged: 0, or CODE.  [default: 3]",
        ),
        click.option(
            "--allow",
            default="",
            metavar="WORDS",
            help="Do not object to any of: missing, skipped, failed, bars, expect.",
        ),
    ):
        command = option(command)
    return command


def threshold_option(command: Command) -> Command:
    """Add --threshold."""
    told = "Smallest relative change of a time that counts: 0.03 is 3 %."
    kind = click.FloatRange(0)
    return click.option("--threshold", type=kind, metavar="SHARE", default=0.03, show_default=True, help=told)(command)


def change_options(command: Command) -> Command:
    """Add --threshold, --points, --all and -o."""
    points = "Smallest change of the score that counts, in its unit; by default the task's own: 0.3 points of top-1."
    out = "Also write the comparison to this file: .md or .html."
    for option in (
        click.option("-o", "--out", type=click.Path(path_type=Path), help=out),
        click.option("--all", "show_all", is_flag=True, help="Show all rows, also those that did not change."),
        click.option("--points", type=click.FloatRange(0), metavar="POINTS", help=points),
        threshold_option,
    ):
        command = option(command)
    return command


def file_options(command: Command) -> Command:
    """Add --json, --junit and --github."""
    path = click.Path(path_type=Path)
    for option in (
        click.option("--github", is_flag=True, help="Annotate the step, and add the table to its summary on GitHub."),
        click.option("--junit", type=path, help="Also write it as JUnit's XML."),
        click.option(
            "--json",
            "json_file",
            type=path,
            is_flag=False,
            flag_value="-",
            metavar="[FILE]",
            help="Print one JSON object, and nothing else; with FILE, write it there, beside what is printed.",
        ),
    ):
        command = option(command)
    return command


def gate_of(fail_on: str, allow: str, unjudged: int) -> Gate:
    """Return the gate that options ask for; raise QBenchError for a word that there is not."""
    from qbench.results.gates.gate import ABSENCES, CHANGES, Gate

    return Gate(words_of("--fail-on", fail_on, CHANGES), words_of("--allow", allow, ABSENCES), unjudged)


def words_of(option: str, text: str, known: Iterable[str]) -> frozenset[str]:
    """Return the words of an option, which commas separate; raise QBenchError for one that is not known."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise QBenchError(f"{option}: unknown word '{word}'{suggest(word, list(known))}")
    return frozenset(words)


def show_objections(console: Console, found: Sequence[Objection]) -> None:
    """Print what is wrong and what could not be judged, a line each, the first of them."""
    from qbench.cli.terminal.style import say

    for one in found[:_MOST_LINES]:
        say(console, one.line, style="yellow" if one.word == "unjudged" else "red")
    if len(found) > _MOST_LINES:
        say(console, f"and {len(found) - _MOST_LINES} more", style="red")


def tell_file(path: Path | None, command: str, code: int, facts: Mapping[str, Any]) -> bool:
    """Write what a command tells as JSON where --json says; return whether that is standard output."""
    if path is not None and path != Path("-"):
        write(path, told(command, code, facts) + "\n")
    elif path is not None:
        click.echo(told(command, code, facts))
    return path == Path("-")


def tell_github(found: Sequence[Objection], markdown: str) -> None:
    """Print annotations of the step, and add to its summary where GitHub says where that is."""
    from qbench.results.gates.verdicts import github_lines

    for line in github_lines(found):
        click.echo(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        write(Path(summary), markdown, behind=True)
