"""`--json`: what a command tells as one JSON object on standard output, and nothing else.

One rule for all commands: the object says `command`, `qbench` (the version) and `exit_code`. Sentences are lists of
text, tables lists of objects (a row each), facts objects. Names are words joined by `_` that end in their unit (`_s`,
`_bytes`, `_percent`), as in `table.csv`; a path is text, and what is not known, or is no finite number, is null.
Progress goes to standard error; a wrong input is a line there, exit code 2, and no object.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from qbench import __version__

Command = TypeVar("Command", bound=Callable[..., Any])
WIDE = "qbench.wide"
"""What `--wide` leaves in the context of a command."""


def json_option(command: Command) -> Command:
    """Add --json."""
    told = "Print one JSON object, and nothing else."
    return click.option("--json", "as_json", is_flag=True, help=told)(command)


def wide_option(command: Command) -> Command:
    """Add --wide, which `print_fitting` looks for."""

    def keep(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.meta[WIDE] = value

    told = "Leave out no column of a table, however narrow the terminal is."
    return click.option("--wide", is_flag=True, expose_value=False, callback=keep, help=told)(command)


def tell_json(command: str, *, exit_code: int = 0, **facts: Any) -> int:
    """Print what a command tells and return its exit code.

    Args:
        command: its name.
        exit_code: what it will exit with.
        facts: sentences, tables and facts by name; frozen values of qbench become objects of their fields.
    """
    click.echo(told(command, exit_code, facts))
    return exit_code


def told(command: str, exit_code: int, facts: Mapping[str, Any]) -> str:
    """Return what a command tells as text."""
    whole = {"command": command, "qbench": __version__, "exit_code": exit_code, **facts}
    return json.dumps(plain(whole), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):  # a number of numpy's
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table_of(headings: tuple[str, ...] | list[str], rows: Any) -> list[dict[str, Any]]:
    """Return rows of cells as objects, their headings as names: `p (Holm)` becomes `p_holm`."""
    names = [_name(heading) for heading in headings]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _name(heading: str) -> str:
    words = heading.replace("%", " percent ").replace("\N{MULTIPLICATION SIGN}", " times ")
    return "_".join("".join(letter if letter.isalnum() else " " for letter in words).lower().split())
