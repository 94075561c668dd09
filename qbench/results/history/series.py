"""Runs in order -> series: one row's figure in each of them, and the steps that it took.

Times of different runs never took turns: a row's time is its ratio to a party of the same rounds, the same one in all
runs; raw where they share none. Times are taken of the runs on the machine of the last one, scores of those on its
samples, sizes of all. Scores take a step where a paired test says so, sizes where they are not the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from qbench.core.kinds import KINDS
from qbench.errors import ResultsError
from qbench.metrics.speed import median_interval
from qbench.results.compare import ComparedRow, Quantity
from qbench.results.history.steps import find_steps
from qbench.results.history.timing import Timing
from qbench.results.judge import ALPHA, holm
from qbench.results.kind import row_kind
from qbench.results.reader import Run
from qbench.results.replicates import speed_logs


@dataclass(frozen=True, slots=True)
class Mark:
    """One run on the axis of a history: its name, when it was made, and the commit that it is of, "" where unknown."""

    name: str
    moment: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one run, with its 95 % interval; `mark` is the run's place."""

    mark: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Step:
    """A change that chance is excluded of.

    Args:
        mark: place of the first run behind it.
        change: `time` and `size`: the new level over the old one; `accuracy`: their difference in the unit.
        low: lower end of its 95 % interval.
        high: upper end.
        p: corrected for all places and steps; None where nothing is left to chance.
    """

    mark: int
    change: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """One row's figure over the runs that have it.

    Args:
        key: of the row.
        kind: time, accuracy or size.
        quantity: its column.
        unit: of the points.
        basis: what a time is set against, e.g. `onnxruntime-fp32`; "" for raw times and other figures.
        points: in the order of the runs.
        steps: in order.
        matters: smallest change of an accuracy that counts, in its unit.
    """

    key: str
    kind: Quantity
    quantity: str
    unit: str
    basis: str
    points: tuple[Point, ...]
    steps: tuple[Step, ...] = ()
    matters: float = 0.0


@dataclass(frozen=True, slots=True)
class History:
    """All series of some runs, and what a reader must know beside them."""

    marks: tuple[Mark, ...]
    series: tuple[Series, ...]
    remarks: tuple[str, ...] = ()


def history(
    runs: Sequence[Run[Any]],
    marks: Sequence[Mark],
    *,
    rows: Sequence[str] = (),
    kinds: Sequence[str] = ("time", "accuracy", "size"),
    threshold: float = 0.03,
) -> History:
    """Return the history of runs.

    Args:
        runs: the oldest first, all of networks or all of kernels.
        marks: one for each.
        rows: globs of keys; all rows where there are none.
        kinds: what is followed.
        threshold: smallest relative change of a time that counts.

    Raises:
        ResultsError: there are no two runs, they are of different kinds, or no row matches.
    """
    if len(runs) < 2:
        raise ResultsError(f"expected two runs or more for a history, got {len(runs)}")
    nouns = [KINDS[run.header.kind].noun for run in runs]
    for run, noun in zip(runs, nouns, strict=True):
        if noun != nouns[0]:
            raise ResultsError(f"{run.folder}: expected a run of {nouns[0]} as the first one, got one of {noun}")
    keys = dict.fromkeys(row.trial.key for run in runs for row in run.results if row.status == "ok")
    chosen = [key for key in keys if not rows or any(fnmatchcase(key, one) for one in rows)]
    if not chosen:
        raise ResultsError(f"no row matches {' or '.join(rows)}; e.g. {next(iter(keys), 'the runs have none')}")
    followed = _Followed(runs)
    found: list[Series] = []
    if "time" in kinds:
        found += _stepped([one for key in chosen for one in followed.times(key)], threshold)
    if "accuracy" in kinds:
        found += _corrected([one for key in chosen for one in followed.compared(key, "accuracy")])
    if "size" in kinds:
        found += [one for key in chosen for one in followed.compared(key, "size")]
    return History(tuple(marks), tuple(found), tuple(followed.remarks))


class _Followed:
    """The rows of every run by key, and which runs times and scores are taken of."""

    def __init__(self, runs: Sequence[Run[Any]]) -> None:
        self._runs = runs
        self._rows = [{row.trial.key: row for row in run.results if row.status == "ok"} for run in runs]
        self._kind = row_kind(runs[0].header.kind)
        self._timed = [_machine(run) == _machine(runs[-1]) for run in runs]
        self._scored = [_samples(run) == _samples(runs[-1]) for run in runs]
        self.remarks = []
        if others := self._timed.count(False):
            self.remarks.append(f"times of {others} runs are left out: they ran on another machine than the last one")
        if others := self._scored.count(False):
            self.remarks.append(f"scores of {others} runs are left out: they are of other samples than the last one's")

    def _of(self, key: str, wanted: Sequence[bool]) -> list[tuple[int, Any]]:
        """Return the row of every wanted run that has it, with the run's place."""
        return [
            (place, rows[key]) for place, (rows, take) in enumerate(zip(self._rows, wanted, strict=True))
            if take and key in rows
        ]  # fmt: skip

    def times(self, key: str) -> Iterator[Series]:
        """Yield the series of every timed quantity of a row."""
        found: dict[str, list[tuple[int, Timing]]] = {}
        for place, row in self._of(key, self._timed):
            for timing in self._kind.timings(row):
                found.setdefault(timing.quantity, []).append((place, timing))
        for quantity, timings in found.items():
            first = timings[0][1]
            basis = next((name for name in first.others if all(name in one.others for _, one in timings)), "")
            points = tuple(_timed(place, one, basis) for place, one in timings)
            yield Series(key, "time", quantity, "x" if basis else first.unit, basis, points)

    def compared(self, key: str, kind: Quantity) -> Iterator[Series]:
        """Yield the series of a row's scores or sizes: a step is judged against the first run since the last step."""
        wanted = self._scored if kind == "accuracy" else [True] * len(self._runs)
        found: dict[str, list[tuple[Point, ComparedRow]]] = {}
        steps: dict[str, list[Step]] = {}
        level: dict[str, tuple[int, Any]] = {}
        for place, row in self._of(key, wanted):
            for quantity, own in self._figures((place, row), (place, row), kind).items():
                found.setdefault(quantity, []).append((_point(place, row, own), own))
                since = level.setdefault(quantity, (place, row))
                change = self._figures(since, (place, row), kind).get(quantity)
                if change is not None and _changed(change):
                    steps.setdefault(quantity, []).append(Step(place, change.change, change.low, change.high, change.p))
                    level[quantity] = place, row
        for quantity, points in found.items():
            first = points[0][1]
            shown = tuple(point for point, _ in points)
            yield Series(
                key, kind, quantity, first.unit, "", shown, tuple(steps.get(quantity, ())), first.matters
            )  # fmt: skip

    def _figures(self, old: tuple[int, Any], new: tuple[int, Any], kind: Quantity) -> Mapping[str, ComparedRow]:
        """Return scores or sizes of two rows."""
        headers = self._runs[old[0]].header, self._runs[new[0]].header
        return {row.quantity: row for row in self._kind.untimed(old[1], new[1], *headers) if row.kind == kind}


def _machine(run: Run[Any]) -> tuple[Any, ...]:
    """Return what a run's times depend on beside the code."""
    facts = run.header.machine.environment
    return facts.get("fingerprint"), facts.get("cpu_model"), run.header.suite.threads, run.header.device


def _samples(run: Run[Any]) -> tuple[Any, ...]:
    return run.header.data.sha256, run.header.data.images, run.header.suite.task


def _timed(place: int, timing: Timing, basis: str) -> Point:
    """Return a time as its speed over a reference's, or as its rate; the interval is that of the rounds."""
    logs = speed_logs(timing.own, timing.others.get(basis))
    low, high = median_interval(list(logs))
    scale = 1.0 if basis else timing.rate / math.exp(float(np.median(logs)))
    return Point(place, *(scale * math.exp(value) for value in (float(np.median(logs)), low, high)))


def _point(place: int, row: Any, own: ComparedRow) -> Point:
    metric = row.metrics.get(own.quantity) if own.kind == "accuracy" else None
    low, high = (own.before, own.before) if metric is None else (metric.low, metric.high)
    return Point(place, own.before, *(own.before if end is None else end for end in (low, high)))


def _changed(row: ComparedRow) -> bool:
    """Return whether a score's change is beyond chance and matters, or a size is not the same."""
    if row.kind == "size":
        return row.change != 1.0
    return row.p is not None and row.p < ALPHA and abs(row.change) >= row.matters


def _stepped(series: Sequence[Series], threshold: float) -> list[Series]:
    """Return series of times with their steps, corrected over all."""
    logs = [[math.log(point.value) for point in one.points] for one in series]
    found = []
    for one, borders in zip(series, find_steps(logs, least=math.log1p(threshold)), strict=True):
        steps = [
            Step(one.points[b.place].mark, math.exp(b.change), math.exp(b.low), math.exp(b.high), b.p) for b in borders
        ]
        found.append(replace(one, steps=tuple(steps)))
    return found


def _corrected(series: Sequence[Series]) -> list[Series]:
    """Return series of scores without the steps that Holm's correction over all comparisons leaves to chance."""
    asked = sum(max(len(one.points) - 1, 1) for one in series)
    p_values = [1.0 if step.p is None else step.p for one in series for step in one.steps]
    corrected = iter(holm([*p_values, *[1.0] * (asked - len(p_values))]))
    found = []
    for one in series:
        steps = [replace(step, p=next(corrected)) for step in one.steps]
        found.append(replace(one, steps=tuple(step for step in steps if step.p is not None and step.p < ALPHA)))
    return found
