"""Rows that differ in nothing but floor against rounding. Floor is biased by half a step, which costs about 6 dB.

The error of rounding is uniform in +-step/2, with a mean square of step^2/12; the error of floor is uniform in
-step..0, with step^2/3: four times as much, 10 log10(4) = 6.02 dB.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbench.metrics import Task
from qbench.report.rows import Row
from qbench.report.view import WIDTHS, RunView, panel_names

FLOOR, ROUND = "linear_floor", "minmax"


@dataclass(frozen=True, slots=True)
class Pair:
    """A floored and a rounded row of the same spec; `panel` says what is quantized, `task` how it was scored."""

    floored: Row
    rounded: Row
    panel: str
    task: Task

    @property
    def width(self) -> str:
        """The bits that both have."""
        return self.rounded.width

    @property
    def gain_points(self) -> float:
        """What rounding gains of the task's score, in its unit (points of top-1)."""
        name = self.task.primary.name
        return self.task.gain((self.rounded.value(name) or 0.0) - (self.floored.value(name) or 0.0))

    @property
    def gain_db(self) -> float | None:
        """Decibels of weight SQNR that rounding gains; None where weights stay float32."""
        first, second = self.floored.value("weight_sqnr_db"), self.rounded.value("weight_sqnr_db")
        return None if first is None or second is None else second - first


def pairs(view: RunView) -> list[Pair]:
    """Return the pairs of the panel and granularity that has most, weights only first, from many bits to few."""
    rows = {(row.method, row.result.trial.spec): row for row in reversed(view.network) if row.is_plain}
    groups: dict[tuple[str, str], list[Pair]] = {}
    for (method, spec), row in rows.items():
        other = rows.get((ROUND, spec))
        if method != FLOOR or other is None:
            continue
        for panel in panel_names(row):
            groups.setdefault((panel, row.granularity), []).append(Pair(row, other, panel, view.task))
    best = max(
        groups, key=lambda key: (len(groups[key]), key[0] == "weights only", key[1] == "per channel"), default=None
    )
    return sorted(groups[best], key=lambda pair: WIDTHS.index(pair.width)) if best else []
