"""Remarks about peers that were to be timed beside qbench and were not: they stand in the rows, and are said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from qbench.core.trial import TrialResult

NOT_TIMED = "not timed: "
"""How such a remark begins; the peer's name and what is wrong with it follow."""


def left_out(results: Iterable[TrialResult]) -> list[str]:
    """Return each remark of this kind once, with the number of rows that share it; a failed row has its reason."""
    notes = [note for result in results if result.status == "ok" for note in result.notes]
    counts = Counter(note for note in notes if note.startswith(NOT_TIMED))
    return [f"{note} ({count} {'row' if count == 1 else 'rows'})" for note, count in counts.items()]
