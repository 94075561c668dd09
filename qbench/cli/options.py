"""The arguments that `run` and `plan` share, and the suite that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from qbench.suite import Suite

Command = TypeVar("Command", bound=Callable[..., Any])


def suite_options(command: Command) -> Command:
    """Add SUITE, -o, --filter and --set."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the suite; repeat."
        ),
        click.option("--filter", "filter_text", metavar="EXPR", help="Keep trials for which this holds."),
        click.option(
            "-o", "--out", type=path, default=Path("results"), show_default=True, help="Folder of all results."
        ),
        click.argument("suite", type=path),
    ):
        command = option(command)
    return command


def load(suite: Path, filter_text: str | None, overrides: tuple[str, ...]) -> Suite:
    """Return the suite with what the command line changes in it."""
    import json

    from qbench.suite import load_suite

    filters = () if filter_text is None else (f"filter={json.dumps(filter_text)}",)
    return load_suite(suite, overrides=(*overrides, *filters))
