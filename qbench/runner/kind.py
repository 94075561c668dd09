"""What a kind of experiment is to this room: the jobs of a suite, the facts of its run, and who makes its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qbench.core.kinds import part
from qbench.runner.job import Job

if TYPE_CHECKING:
    from qbench.runner.plan import Plan


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Facts of a plan.

    Args:
        threads: the most that a row takes.
        of_suite: fields of `qbench.results.SuiteFacts` that only this kind has.
        of_run: fields of `qbench.results.RunHeader` that only this kind has.
    """

    threads: int
    of_suite: dict[str, Any] = field(default_factory=dict)
    of_run: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunKind:
    """How suites of one kind are run.

    Args:
        world: what all rows of a suite share, e.g. network and images; None where they share nothing.
        jobs: a suite, its world, the id of the machine, and whether it is quick -> its jobs in the order in which they
            are done. Raises QBenchError for what no job could be done with here.
        facts: what `run.json` says of a plan beside what it says of every plan.
        makers: device -> class of who makes the rows there (`qbench.runner.maker.Maker`), as `module:attribute`.
        follow: a plan and the run with all its rows -> the jobs that only these rows ask for.
        remarks: a suite's world -> what is suspicious about it, a line each, before anything is computed.
    """

    world: Callable[[Any], Any]
    jobs: Callable[[Any, Any, str, bool], tuple[Job, ...]]
    facts: Callable[[Plan], PlanFacts]
    makers: Mapping[str, str]
    remarks: Callable[[Any], tuple[str, ...]] = lambda _: ()
    follow: Callable[[Plan, Any], tuple[Job, ...]] = lambda plan, run: ()


def run_kind(kind: str) -> RunKind:
    """Return what this room knows of a kind."""
    found: RunKind = part(kind, "runner")
    return found
