"""A run as the report sees it: its rows, and the selections that plots and tables share. Nothing is drawn here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qbench.core.trial import Metric
from qbench.metrics import Task, load_task
from qbench.report import words
from qbench.report.headed import Headed
from qbench.report.rows import FP32, Row
from qbench.results import NetworkRun, read_run
from qbench.results.front import asked_of_network
from qbench.results.index import frame
from qbench.results.ranking import Ranking, at_equal_bits, at_equal_bytes

_ABOVE_CHANCE = 1.5
WIDTHS = ("32", "8", "7", "6", "5", "4", "3", "2", "T", "1", "B")


@dataclass(frozen=True)
class RunView(Headed):
    """One run and its rows."""

    run: NetworkRun
    rows: tuple[Row, ...]

    @property
    def conditions(self) -> str:
        """Network, data and number of images, as a plot's subtitle opens."""
        return f"{self.header.model.name} on {self.header.data.images:,} images of {self.header.data.name}"

    @property
    def keep_text(self) -> str:
        """The target, e.g. `99 %`."""
        return f"{100 * self.header.suite.target_keep:g}\N{NO-BREAK SPACE}%"

    @cached_property
    def baseline(self) -> Row | None:
        """The fp32 row of qbench's own graph that ran, or None."""
        return next((row for row in self.rows if row.is_baseline and row.ok and row.is_own), None)

    @cached_property
    def task(self) -> Task:
        """How answers were scored."""
        return load_task(self.header.suite.task)

    def score(self, row: Row) -> float:
        """Return the task's score of a row that has one."""
        return row.value(self.task.primary.name) or 0.0

    def merit(self, row: Row) -> float:
        """Return the task's score of a row, turned so that more is better."""
        return self.task.gain(self.score(row))

    def lost(self, row: Row) -> Metric | None:
        """Return what a row lost against fp32, None where nothing was compared."""
        return row.metric(self.task.loss.name) if self.task.loss else None

    def above_chance(self, row: Row) -> bool:
        """Whether a row is right clearly more often than a guess among the classes; true where nothing is known."""
        return self.chance is None or self.score(row) > self.chance

    @property
    def chance(self) -> float | None:
        """The score up to which a row may as well guess among the classes; None where that is not known."""
        classes = len(self.header.data.classes)
        return _ABOVE_CHANCE * 100.0 / classes if self.task.binary and classes else None

    def span(self, row: Row) -> tuple[float, float] | None:
        """Return the ends of the 95 % interval of a row's score, as what it lost against fp32 leaves of fp32's score.

        That is paired on the same samples, and so narrower than the interval of a lone score; None where there is none.
        """
        lost, fp32 = self.lost(row), self.fp32_score
        if lost is None or lost.low is None or lost.high is None or fp32 is None:
            return None
        ends = (fp32 - self.task.gain(lost.low), fp32 - self.task.gain(lost.high))
        return min(ends), max(ends)

    def amount(self, value: float) -> str:
        """Return a score with its unit, e.g. `91.6 %`."""
        text = f"{value:.1f}" if self.task.binary else words.significant(value)
        return f"{text}\N{NO-BREAK SPACE}{self.task.primary.unit}"

    @property
    def fp32_score(self) -> float | None:
        """The task's score of the fp32 row; None without one, and where scores are distances from fp32 anyway."""
        if self.baseline is None or self.task.loss is None:
            return None
        return self.baseline.value(self.task.primary.name)

    @property
    def kept_score(self) -> float | None:
        """The worst score that keeps the suite's target, by the fp32 row's."""
        keep, fp32 = self.header.suite.target_keep, self.fp32_score
        return None if fp32 is None else keep * fp32 if self.task.higher else fp32 / keep

    @cached_property
    def network(self) -> tuple[Row, ...]:
        """Quantized whole-network rows that ran on qbench and were scored, each spec and method once."""
        return tuple(
            row
            for row in unique(self.rows)
            if row.ok
            and row.is_own
            and row.whole_network
            and not row.is_baseline
            and row.value(self.task.primary.name) is not None
        )

    @cached_property
    def single_layers(self) -> tuple[Row, ...]:
        """Rows of one quantized layer that ran and were scored."""
        return tuple(row for row in self.rows if row.ok and not row.whole_network and self.lost(row) is not None)

    @cached_property
    def timed(self) -> tuple[Row, ...]:
        """Whole-network rows of qbench, fp32 included, with a time of the network."""
        return tuple(
            row
            for row in self.rows
            if row.ok and row.is_own and row.whole_network and any(row.images_per_s(b) for b in self.batches)
        )

    @cached_property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes at which the network was timed, ascending."""
        found = (re.fullmatch(r"images_per_s_b(\d+)", name) for row in self.rows for name in row.record)
        return tuple(sorted({int(match[1]) for match in found if match}))

    @cached_property
    def references(self) -> tuple[str, ...]:
        """Names of the peers that took turns with qbench."""
        return tuple(dict.fromkeys(m.cell for row in self.timed for m in row.result.measurements if m.cell != "qbench"))

    @cached_property
    def base(self) -> str:
        """The library that speeds are drawn against: fp32 where it took turns; "" where none did."""
        return min(self.references, key=lambda name: (name != FP32, not name.endswith("-fp32")), default="")

    def pace(self, row: Row, batch: int) -> float:
        """Return how fast a row is beside others of the run: its paired speedup over `base`, 0.0 where it has none.

        Images per second of rows that were timed minutes apart rank the host's moods, too; where no library took turns
        there is nothing else.
        """
        found = row.speedup(batch, self.base) if self.base else row.images_per_s(batch)
        return (found.value or 0.0) if found else 0.0

    @cached_property
    def row_of(self) -> Mapping[str, Row]:
        """The row of each trial, by its key."""
        return {row.result.trial.key: row for row in self.rows}

    @cached_property
    def absent(self) -> tuple[Row, ...]:
        """Rows that were skipped or failed."""
        return tuple(row for row in self.rows if not row.ok)

    @cached_property
    def alarmed(self) -> tuple[Row, ...]:
        """Rows that ran and look wrong."""
        return tuple(row for row in self.rows if row.ok and row.result.alarms)

    @cached_property
    def by_bits(self) -> tuple[Ranking, ...]:
        """Recipes of the same spec, ranked."""
        rows = [row.result for row in self.rows]
        return at_equal_bits(rows, task=self.task, samples=self.header.data.images)

    @cached_property
    def by_bytes(self) -> tuple[Ranking, ...]:
        """Rows of any spec that are no larger than a size, ranked, for each size at which others lead."""
        rows = [row.result for row in self.rows]
        return at_equal_bytes(rows, task=self.task, samples=self.header.data.images)

    def timed_twin(self, row: Row) -> Row | None:
        """Return the timed row of the same spec, method and edges (another sweep may have timed it), or None."""
        return next((other for other in self.timed if _what(other) == _what(row)), None)


def load(folder: Path) -> RunView:
    """Read a run's folder; raise ResultsError when it cannot be read."""
    return view_of(read_run(folder, kind="network"))


def view_of(run: NetworkRun) -> RunView:
    """Return a run with its rows."""
    table = frame(run).astype(object)
    records: list[dict[str, Any]] = table.where(table.notna(), None).to_dict("records")  # type: ignore[assignment]
    lines = run.lines or (0,) * len(records)
    return RunView(run, tuple(map(Row, run.results, records, lines)))


def widths(rows: Iterable[Row]) -> list[str]:
    """Return the bits that occur, from many to few."""
    found = {row.width for row in rows}
    return [width for width in WIDTHS if width in found]


def panel_names(row: Row) -> list[str]:
    """Return the panels that a row belongs to: what is quantized, and to how many bits the activations.

    A row of equal widths stands in two: 8-bit weights with 8-bit activations end both the line of equal widths and the
    line of lower weights at 8-bit activations.
    """
    scope, bits = row.spec.scope, row.spec.activations.format.bits
    if scope != "full":
        return [f"{scope} only"]
    alike = ["weights and activations alike"] if row.spec.weights.format.bits == bits else []
    return [*alike, f"weights, with {bits}-bit activations"]


def in_bits(width: str) -> str:
    """Return a width in words, e.g. `4 bits`, `1 bit`, `three levels`."""
    return {"T": "three levels", "B": "two levels", "1": "1 bit"}.get(width, f"{width} bits")


def unique(rows: Iterable[Row]) -> list[Row]:
    """Return the first row of each spec, method and draw, rows that ran first: several sweeps may hold the same."""
    seen: dict[tuple[object, ...], Row] = {}
    for row in sorted(rows, key=lambda row: not row.ok):
        trial = row.result.trial
        seen.setdefault((*_what(row), trial.seed, trial.samples, trial.source, trial.variant, trial.backend), row)
    return list(seen.values())


def _what(row: Row) -> tuple[str, ...]:
    return asked_of_network(row.result.trial)
