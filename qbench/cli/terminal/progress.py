"""What a run shows while it runs: a live bar on a terminal, else one line per trial."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from qbench.cli.terminal.style import duration

if TYPE_CHECKING:
    from qbench.cli.kind import Words
    from qbench.runner import Plan
    from qbench.runner.job import AnyResult, AnyTrial, Job


class Watch:
    """Shows on the terminal what the runner reports (`qbench.runner.RunObserver`); use it in a `with`."""

    def __init__(self, console: Console, words: Words) -> None:
        self.failed = 0
        self._console, self._words = console, words
        self._estimates: dict[str, float] = {}
        self._done_estimate_s = 0.0
        self._total = self._done = 0
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _TimeLeft(self),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_start(self, plan: Plan) -> None:
        """Show how much there is to do."""
        self._total = len(plan.new)
        self._estimates = {job.trial.key: job.estimate_s for job in plan.new}
        self._bar.reset(self._task, total=self._total)
        more = f", {len(plan.cached)} cached" if plan.cached else ""
        self._say(f"{self._total} {self._words.rows} to run{more}, about {duration(plan.estimate_s)}")
        for remark in plan.remarks:
            self._say(remark)

    def on_more(self, jobs: Sequence[Job]) -> None:
        """Add to what there is to do."""
        self._total += len(jobs)
        self._estimates |= {job.trial.key: job.estimate_s for job in jobs}
        self._bar.update(self._task, total=self._total)
        self._say(f"{len(jobs)} more {self._words.rows} to time: those that scored best for their size")

    def on_phase(self, text: str) -> None:
        """Show what is done outside of trials."""
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._say(text)

    def on_trial_start(self, trial: AnyTrial) -> None:
        """Name the row in the bar."""
        self._bar.update(self._task, description=trial.key)

    def on_trial_end(self, result: AnyResult) -> None:
        """Advance the bar; without a terminal, and for what failed, write a line."""
        failed = result.status == "failed"
        self._done += 1
        self.failed += failed
        self._done_estimate_s += self._estimates.get(result.trial.key, 0.0)
        self._bar.update(self._task, completed=self._done)
        if failed or not self._console.is_terminal:
            self._say(f"[{self._done:>{len(str(self._total))}}/{self._total}] {self._words.line(result)}")

    def left_s(self, elapsed_s: float) -> float | None:
        """Return the seconds that are likely left: the estimates, scaled by how the finished trials kept theirs."""
        if not self._done_estimate_s:
            return None
        left = max(0.0, sum(self._estimates.values()) - self._done_estimate_s)
        return left * elapsed_s / self._done_estimate_s

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _TimeLeft(ProgressColumn):
    """Likely time left."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def render(self, task: Task) -> Text:
        """Return `3 min 20 s left`, or nothing while there is no guess."""
        left = self._watch.left_s(task.elapsed or 0.0)
        return Text("" if left is None or task.finished else f"{duration(left)} left")
