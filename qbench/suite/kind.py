"""What a kind of experiment is to this room: the keys of its suites, and the file of their JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.core.kinds import part
from qbench.suite.base import AnySuite


@dataclass(frozen=True, slots=True)
class SuiteKind:
    """The suites of one kind.

    Args:
        schema: what a suite may say.
        json_file: its JSON Schema, beside the suites.
    """

    schema: type[AnySuite]
    json_file: str


def suite_kind(kind: str) -> SuiteKind:
    """Return what this room knows of a kind; raise QBenchError when there is none of that name."""
    found: SuiteKind = part(kind, "suite")
    return found
