"""The table of commands: name -> module, imported when the command is used. To add one: one file, one line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from qbench import __version__
from qbench.errors import suggest

COMMANDS = {
    "explore": "qbench.cli.starting:explore",
    "init": "qbench.cli.starting:init",
    "run": "qbench.cli.run:run",
    "plan": "qbench.cli.plan:plan",
    "quantize": "qbench.cli.quantize:quantize",
    "list": "qbench.cli.listing:list_parts",
    "verify": "qbench.cli.verify:verify",
    "ceiling": "qbench.cli.ceiling:ceiling",
    "assembly": "qbench.cli.assembly:assembly",
    "report": "qbench.cli.report:report",
    "publish": "qbench.cli.publish:publish",
    "table": "qbench.cli.paper:table",
    "plot": "qbench.cli.paper:plot",
    "compare": "qbench.cli.changes.compare:compare",
    "baseline": "qbench.cli.changes.baseline:baseline",
    "history": "qbench.cli.changes.history:history",
    "asv": "qbench.cli.changes.asv:asv",
    "check": "qbench.cli.changes.check:check",
    "ab": "qbench.cli.ab:ab",
    "selftest-timing": "qbench.cli.selftest_timing:selftest_timing",
    "overrides": "qbench.cli.overrides:overrides",
    "system": "qbench.cli.system:system",
}


class LazyGroup(click.Group):
    """A group whose commands stay unimported until one is asked for."""

    def __init__(self, name: str, *, table: Mapping[str, str], help: str, epilog: str) -> None:
        super().__init__(name, help=help, epilog=epilog, context_settings={"help_option_names": ["-h", "--help"]})
        self._table = dict(table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self._table:
            raise click.UsageError(f"no command '{cmd_name}'{suggest(cmd_name, self._table)}")
        module, _, attribute = self._table[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


root = LazyGroup(
    "qbench",
    table=COMMANDS,
    help="Measure how few bits a neural network needs: what it loses in accuracy, what it gains in size and speed.",
    epilog="Example: qbench run suites/tiny.yaml",
)
click.version_option(__version__, prog_name="qbench")(root)
