"""Who hears what a run does. The runner itself prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qbench.runner.job import AnyResult, AnyTrial, Job
from qbench.runner.plan import Plan


class RunObserver(Protocol):
    """Hears every step of a run, in order, from the thread that runs it."""

    def on_start(self, plan: Plan) -> None:
        """Hear what will be run, before anything is computed."""

    def on_more(self, jobs: Sequence[Job]) -> None:
        """Hear what the rows so far ask for beside the plan."""

    def on_phase(self, text: str) -> None:
        """Hear what is being done now, e.g. `measuring the machine's ceilings`."""

    def on_trial_start(self, trial: AnyTrial) -> None:
        """Hear which trial begins."""

    def on_trial_end(self, result: AnyResult) -> None:
        """Hear how it ended; its row is on disk by now."""


class Silent:
    """An observer that keeps all to itself, for use from Python."""

    def on_start(self, plan: Plan) -> None:
        """Say nothing."""

    def on_more(self, jobs: Sequence[Job]) -> None:
        """Say nothing."""

    def on_phase(self, text: str) -> None:
        """Say nothing."""

    def on_trial_start(self, trial: AnyTrial) -> None:
        """Say nothing."""

    def on_trial_end(self, result: AnyResult) -> None:
        """Say nothing."""
