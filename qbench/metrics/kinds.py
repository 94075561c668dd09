"""What a score is called, its unit and which way is better. The numbers are computed in the modules beside this one."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.core.trial import Direction, Metric


@dataclass(frozen=True, slots=True)
class MetricKind:
    """One line of the table of metrics.

    Args:
        name: key in `TrialResult.metrics`; ends in its unit wherever it has one.
        unit: as shown beside the number; "" for a plain ratio.
        better: which way is better.
        doc: what it means, in one line.
    """

    name: str
    unit: str
    better: Direction
    doc: str

    def of(self, value: float | None, *, low: float | None = None, high: float | None = None) -> Metric:
        """Return a score of this kind, with its 95 % interval when given."""
        return Metric(None if value is None else float(value), self.unit, self.better, low, high)
