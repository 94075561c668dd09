"""What a kind of experiment is to this room: its rows in a file, in tables, and beside those of another run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qbench.core.kinds import part

if TYPE_CHECKING:
    import pandas as pd

    from qbench.results.compare import ComparedRow
    from qbench.results.gates.expected import Shown
    from qbench.results.header import RunHeader
    from qbench.results.history.timing import Timing
    from qbench.results.reader import Run


@dataclass(frozen=True, slots=True)
class RowKind:
    """The rows of one kind.

    Args:
        row: their frozen class, which pydantic reads back from JSON.
        frame: a run -> every column of every row, as `table.csv` and `trials.parquet` hold them.
        markdown: a run and its frame -> `table.md`.
        compared: the same trial's rows of two runs, with their headers -> what of them is compared. The verdicts of
            times and scores are left to `compare_runs`, which has to know all of them.
        unmet: a run -> the name of every bar that it does not meet, and what it shows instead.
        timings: a row -> its timed quantities, with the parties that each took turns with.
        shown: a run -> what its rows show of every expectation of its suite.
    """

    row: type[Any]
    frame: Callable[[Run[Any]], pd.DataFrame]
    markdown: Callable[[Run[Any], pd.DataFrame], str]
    compared: Callable[[Any, Any, RunHeader, RunHeader], Iterator[ComparedRow]]
    timings: Callable[[Any], Iterator[Timing]]
    unmet: Callable[[Run[Any]], Iterator[tuple[str, str]]] = lambda run: iter(())
    shown: Callable[[Run[Any]], tuple[Shown, ...]] = lambda run: ()

    def untimed(self, old: Any, new: Any, before: RunHeader, after: RunHeader) -> Iterator[ComparedRow]:
        """Yield what of two rows is compared but their times, whose intervals would be drawn for nothing."""
        return self.compared(replace(old, measurements=()), replace(new, measurements=()), before, after)


def row_kind(kind: str) -> RowKind:
    """Return what this room knows of a kind."""
    found: RowKind = part(kind, "results")
    return found
