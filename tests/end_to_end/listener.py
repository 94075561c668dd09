"""What a run tells those who watch it, kept for tests."""

from __future__ import annotations

from collections.abc import Sequence

from qbench.core.trial import Trial, TrialResult
from qbench.runner import Plan
from qbench.runner.job import Job


class Listener:
    """Remembers what the runner told."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.started: list[str] = []
        self.ended: list[TrialResult] = []
        self.phases: list[str] = []
        self.more: list[str] = []

    def on_start(self, plan: Plan) -> None:
        self.plans.append(plan)

    def on_more(self, jobs: Sequence[Job]) -> None:
        self.more += [job.trial.key for job in jobs]

    def on_phase(self, text: str) -> None:
        self.phases.append(text)

    def on_trial_start(self, trial: Trial) -> None:
        self.started.append(trial.key)

    def on_trial_end(self, result: TrialResult) -> None:
        self.ended.append(result)
