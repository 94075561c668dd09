"""What several draws of one trial have between them: the mean of their scores, the least and the most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean

from qbench.core.trial import Trial
from qbench.metrics import load_task
from qbench.results.reader import NetworkRun


@dataclass(frozen=True, slots=True)
class Draws:
    """The scores of trials that differ in their seed alone, two at least.

    Args:
        trial: what they share, without sweep and times.
        scores: of the task, in the run's order.
        heading: what a score is called.
    """

    trial: Trial
    scores: tuple[float, ...]
    heading: str

    @property
    def text(self) -> str:
        """The spread in one line, e.g. `w4c-a8t mse, 3 draws of 64 (noise): top-1 % 90.10, 89.80 to 90.30`."""
        trial, (mean, least, most) = self.trial, (fmean(self.scores), min(self.scores), max(self.scores))
        where = trial.layers if trial.layers != "all" else ""
        ends = f"ends {trial.edges}" if trial.edges else ""
        what = " ".join(filter(None, (trial.spec, trial.recipe, where, ends)))
        drawn = f"{len(self.scores)} draws of {trial.calibration}{f' ({trial.source})' if trial.source else ''}"
        return f"{what}, {drawn}: {self.heading} {mean:.2f} on average, {least:.2f} to {most:.2f}"


def draws(run: NetworkRun) -> Iterator[Draws]:
    """Yield the spread of every trial that was drawn several times, in the run's order.

    Draws of all samples that there are, and that score alike, were no draws.
    """
    score = load_task(run.header.suite.task)
    found: dict[Trial, dict[int, float]] = {}
    for row in run.results:
        metric = row.metrics.get(score.primary.name)
        if row.status == "ok" and metric is not None and metric.value is not None:
            shared = replace(row.trial, seed=0, sweep="", batch_sizes=())
            found.setdefault(shared, {}).setdefault(row.trial.seed, metric.value)
    for trial, scores in found.items():
        every = not trial.source and trial.calibration >= run.header.data.calibration_images
        if len(scores) > 1 and not (every and len(set(scores.values())) == 1):
            yield Draws(trial, tuple(scores.values()), score.heading)
