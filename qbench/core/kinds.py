"""The kinds of experiment: what a suite asks for and a run's rows are. To add one: its parts, and one entry here.

An experiment is the same whatever its rows are: a suite is expanded, what earlier runs hold is left out, every other
row is made and is one line on disk, tables and a page are drawn, two runs are compared. What differs stands in the
parts of a kind, one for each room that knows rows. This table only says where they lie: a room asks for its own part
and for no other, so that nothing is imported from a floor above.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qbench.errors import QBenchError, suggest

Room = Literal["suite", "results", "runner", "report", "cli"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of experiment.

    Args:
        noun: what a run of it is a run of, e.g. `a network`.
        suite: `qbench.suite.kind.SuiteKind`: what a suite file may say.
        results: `qbench.results.kind.RowKind`: rows in files and tables, and what of two rows is compared.
        runner: `qbench.runner.kind.RunKind`: the jobs of a suite, and who does them on which device.
        report: `qbench.report.kind.PageKind`: the page.
        cli: `qbench.cli.kind.Words`: what a plan, a finished row and a finished run say on the terminal.

    All but the noun are `module:attribute`.
    """

    noun: str
    suite: str
    results: str
    runner: str
    report: str
    cli: str


KINDS: Mapping[str, Kind] = {
    "network": Kind(
        "a network",
        suite="qbench.suite.networks:NETWORKS",
        results="qbench.results.networks:NETWORKS",
        runner="qbench.runner.networks.kind:NETWORKS",
        report="qbench.report.networks:NETWORKS",
        cli="qbench.cli.networks:NETWORKS",
    ),
    "kernels": Kind(
        "kernels",
        suite="qbench.suite.kernels.kind:KERNELS",
        results="qbench.results.kernels.kind:KERNELS",
        runner="qbench.runner.kernels.kind:KERNELS",
        report="qbench.report.kernels.kind:KERNELS",
        cli="qbench.cli.kernels:KERNELS",
    ),
}
"""Name of a kind, as `kind:` of a suite and of a run's header says it -> its parts."""

DEFAULT = "network"
"""What a suite without the key `kind` is."""


def part(kind: str, room: Room) -> Any:
    """Import and return what `room` knows of a kind; raise QBenchError with a suggestion when there is none."""
    if kind not in KINDS:
        raise QBenchError(f"kind: expected {' or '.join(KINDS)}, got '{kind}'{suggest(kind, KINDS)}")
    module, _, attribute = getattr(KINDS[kind], room).partition(":")
    return getattr(importlib.import_module(module), attribute)
