"""What a kind of experiment is to this room: how plans, finished rows and finished runs look on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from qbench.core.kinds import part

if TYPE_CHECKING:
    from qbench.results import Run
    from qbench.runner import Plan
    from qbench.runner.job import Job


class ShowRun(Protocol):
    """Shows what a finished run says."""

    def __call__(self, console: Console, run: Any, *, verbose: bool = False) -> None:
        """Print the answer first; all tables too where `verbose` is true."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one kind.

    Args:
        rows: what rows are called, e.g. `trials`.
        line: a finished row -> one line.
        show_plan: shows what a plan holds, row by row.
        show_run: shows what a finished run says; in full where `verbose` is true.
        faults: a finished run -> what is wrong with it beside failed rows, a line each.
    """

    rows: str
    line: Callable[[Any], str]
    show_plan: Callable[[Console, Plan], None]
    show_run: ShowRun
    faults: Callable[[Run[Any]], list[str]]


def state_of(plan: Plan, job: Job) -> str:
    """Return whether a row of a plan is new, cached, or skipped."""
    return "cached" if job.trial.key in plan.cached else "skipped" if job.reason else "new"


def words_of(kind: str) -> Words:
    """Return what this room knows of a kind."""
    found: Words = part(kind, "cli")
    return found
