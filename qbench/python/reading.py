"""A run as Python users hold it: tables as frames, plots as figures, the answer in words, shown whole in a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from qbench.core.trial import TrialResult
from qbench.report import write_report
from qbench.report.kind import Answered, page_kind
from qbench.report.style import FILE
from qbench.results import Run, compare_runs, read_run
from qbench.results.compare_table import HEADINGS, table_rows
from qbench.results.kind import row_kind


@dataclass(frozen=True)
class Reading:
    """A run, of networks or of kernels.

    Args:
        run: as its files hold it: `header` (machine, suite, data) and `results` (one row each).
    """

    run: Run[Any]

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.run.folder

    @property
    def answer(self) -> tuple[str, ...]:
        """What the run answers, a sentence each, the first one first."""
        return self._answered.lines

    def best(self) -> pd.DataFrame:
        """Return the rows that matter as text: of networks the best of each width, of kernels a mean for each sweep."""
        return pd.DataFrame(self._answered.rows, columns=list(self._answered.headings))

    def frame(self) -> pd.DataFrame:
        """Return one row for each trial with every column; `qbench/results/columns.py` says what each means."""
        return row_kind(self.run.header.kind).frame(self.run)

    def ranking(self) -> pd.DataFrame:
        """Return the recipes of every spec that was tried with several, ranked on the same samples.

        Columns: spec, recipe, leads (no test tells it from the best), behind, low, high (the unit of the task's loss,
        paired, 95 %), p (Holm), seconds, packed_bytes. Empty for kernels.
        """
        from qbench.metrics import load_task
        from qbench.results.ranking import at_equal_bits

        header = self.run.header
        rows = [row for row in self.run.results if isinstance(row, TrialResult)]
        groups = at_equal_bits(rows, task=load_task(header.suite.task), samples=header.data.images) if rows else ()
        found = [
            (
                group.name, place.row.trial.recipe, place.leads, place.behind, place.low, place.high, place.p,
                place.row.making_s, place.row.metrics["packed_bytes"].value,
            )
            for group in groups
            for place in group.places
        ]  # fmt: skip
        columns = ["spec", "recipe", "leads", "behind", "low", "high", "p", "seconds", "packed_bytes"]
        return pd.DataFrame(found, columns=columns)

    def plots(self) -> dict[str, Any]:
        """Return every plot that the run has data for: name -> a figure of matplotlib, titled with its finding."""
        return {plot.name: plot.draw(FILE) for plot in page_kind(self.run.header.kind).plots(self.run)}

    def compare(self, other: Reading | str | Path) -> pd.DataFrame:
        """Return what changed from this run to another, a row for each figure, as `qbench compare` prints it.

        Raises:
            ResultsError: the other cannot be read, or is of another kind.
        """
        after = other if isinstance(other, Reading) else Reading(read_run(Path(other)))
        return pd.DataFrame(table_rows(compare_runs(self.run, after.run)), columns=list(HEADINGS))

    def page(self, out: str | Path | None = None) -> Path:
        """Write the page and the plots' files, into the run's own folder by default, and return the page's path.

        Raises:
            ResultsError: they cannot be written.
        """
        return write_report([self.folder], self.folder if out is None else Path(out))

    @cached_property
    def _answered(self) -> Answered:
        return page_kind(self.run.header.kind).answer(self.run)

    def __repr__(self) -> str:
        """Return folder, number of rows and the first sentence of the answer."""
        first = self.answer[0] if self.answer else ""
        return f"Reading({str(self.folder)!r}, {len(self.run.results)} rows: {first})"

    def _repr_html_(self) -> str:
        """Return the answer and the rows that matter, as notebooks show them."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.answer)
        return lines + self.best().to_html(index=False, border=0)


def reading(folder: Path) -> Reading:
    """Return the run in a folder, `latest` of a suite's folder too; raise ResultsError when it cannot be read."""
    return Reading(read_run(folder))
