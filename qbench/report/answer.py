"""The report's first sentence: how low can this network go, and what does it cost and bring?

A row counts as keeping the target (99 % of fp32) only when the paired test refutes that it keeps less. A row that
merely looks as good on too few images does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qbench.core.trial import ON_INTEGERS
from qbench.report.rows import Row
from qbench.report.view import RunView


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that the headline and the cards are about; None where no row qualifies.

    Args:
        smallest: smallest packed size of all rows that keep the target, whatever arithmetic they ran in.
        smallest_integer: the same among rows that ran in integers.
        fastest: of integer rows that keep the target the one with the best pace at the largest batch (`RunView.pace`).
        unsure: integer rows smaller than `smallest_integer` that may keep the target, for all that the images can tell.
    """

    smallest: Row | None
    smallest_integer: Row | None
    fastest: Row | None
    unsure: tuple[Row, ...]

    @property
    def headline(self) -> Row | None:
        """The row of the first sentence: one that really ran in integers, when there is one."""
        return self.smallest_integer or self.smallest


def find(view: RunView) -> Answer:
    """Return the answer that the run gives."""

    def size_then_loss(row: Row) -> tuple[float, float]:
        packed, lost = row.value("packed_bytes"), view.lost(row)
        return float("inf") if packed is None else packed, (lost.value or 0.0) if lost else 0.0

    kept = [row for row in view.network if row.target == "kept"]
    timed = [row for row in view.timed if row.target == "kept" and row.result.execution in ON_INTEGERS]
    smallest = _best((row for row in kept if row.result.execution in ON_INTEGERS), size_then_loss)
    return Answer(
        smallest=_best(kept, size_then_loss),
        smallest_integer=smallest,
        fastest=_best(timed, lambda row: (-view.pace(row, view.batches[-1]), 0.0)),
        unsure=tuple(
            row
            for row in view.network
            if smallest is not None
            and row.target == "unsure"
            and row.result.execution in ON_INTEGERS
            and size_then_loss(row)[0] < size_then_loss(smallest)[0]
        ),
    )


def _best(rows: Iterable[Row], key: Callable[[Row], tuple[float, float]]) -> Row | None:
    return min(rows, key=key, default=None)
