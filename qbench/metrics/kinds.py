"""What a score is called, its unit, which way is better, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from qbench.core.trial import Direction, Metric

Stage = Literal["task", "pair", "outputs", "network", "time", "ratio"]
"""When a score can be computed, and so what its function is given.

- `task`: by a task, which hands it out with its scores of every sample; the kind has no function.
- `pair`: from two rows' scores of the same samples, a `qbench.metrics.pair.Pair`; again on reading, by the fp32 row.
- `outputs`: from the network's outputs, a `qbench.metrics.task.Scored`.
- `network`: from the network itself, a `qbench.metrics.network.Built`.
- `time`: on reading, from the raw times of one cell, a `qbench.metrics.speed.Timed`.
- `ratio`: on reading, from two cells that took turns, a `qbench.metrics.speed.Turns`.
"""

Measure = Callable[[Any], Metric | float | None]
"""A function of what the stage has; a plain number becomes a score of the kind, None says that a row has none."""


@dataclass(frozen=True, slots=True)
class MetricKind:
    """One line of the table of metrics.

    Args:
        name: key in `TrialResult.metrics`; ends in its unit wherever it has one.
        unit: as shown beside the number; "" for a plain ratio.
        better: which way is better.
        doc: what it means, in one line.
        stage: what it is computed from.
        measure: computes it; None where a task does.
    """

    name: str
    unit: str
    better: Direction
    doc: str
    stage: Stage = "task"
    measure: Measure | None = None

    def __post_init__(self) -> None:
        if (self.measure is None) != (self.stage == "task"):
            raise ValueError(f"metric '{self.name}': expected a function, or the stage 'task' without one")

    def measured(self, subject: Any) -> Metric | None:
        """Return the score of `subject`, None where it has none."""
        found = self.measure(subject) if self.measure else None
        return found if found is None or isinstance(found, Metric) else self.of(found)

    def of(self, value: float | None, *, low: float | None = None, high: float | None = None) -> Metric:
        """Return a score of this kind, with its 95 % interval when given."""
        return Metric(None if value is None else float(value), self.unit, self.better, low, high)
