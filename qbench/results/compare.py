"""Two runs, row by row: what became faster, what lost accuracy, what grew; with an interval and a word for each.

Times of two runs never took turns, and a host drifts by more than most changes are worth. So a time is compared as
its ratio to the reference that it did take turns with, run by run; raw times are used, and said to be, only where the
runs share no reference. Times from different machines, and raw times of a run whose canary moved, are shown but not
judged: of a ratio within rounds a moved canary widens the interval, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from qbench.core.kinds import KINDS
from qbench.core.trial import Direction, Measurement, TrialResult
from qbench.errors import ResultsError
from qbench.metrics import Task, load_task
from qbench.metrics.pair import Pair
from qbench.metrics.speed import Ratio, verdict
from qbench.metrics.task import stored_scores
from qbench.results.columns import batch_of
from qbench.results.header import RunHeader
from qbench.results.judge import ALPHA, BETWEEN_PROCESSES, holm, score_change, score_verdict, shift
from qbench.results.kind import row_kind
from qbench.results.matching import circumstances, matched
from qbench.results.reader import Run
from qbench.results.replicates import RAW, basis_of, process_logs

Quantity = Literal["time", "accuracy", "size"]
Verdict = Literal["FASTER", "SLOWER", "BETTER", "WORSE", "SMALLER", "LARGER", "SAME", "UNSURE", "NOT JUDGED"]

SIZES = ("packed_bytes", "resident_bytes")
_MACHINE = ("cpu_model", "fingerprint", "cpus_allowed", "cpu_quota", "governor", "threads_environment")
_ORDER: tuple[Quantity, ...] = ("time", "accuracy", "size")


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One quantity of one trial in both runs.

    Args:
        key: of the trial.
        kind: time, accuracy or size.
        quantity: its column, e.g. `images_per_s_b256`.
        before: value in the first run.
        after: value in the second run.
        change: `time` and `size`: after / before; `accuracy`: after - before in `unit`.
        low: lower end of the change's 95 % interval.
        high: upper end.
        p: corrected by Holm over all rows of this kind; None where nothing is left to chance.
        verdict: a change counts when both chance is excluded and the threshold reached.
        basis: how it was compared, e.g. `against onnxruntime-fp32`.
        unit: of an accuracy's change.
        better: which way of an accuracy is better.
        matters: smallest change of an accuracy that the task speaks of.
    """

    key: str
    kind: Quantity
    quantity: str
    before: float
    after: float
    change: float
    low: float
    high: float
    p: float | None
    verdict: Verdict
    basis: str
    unit: str = ""
    better: Direction = "higher"
    matters: float = 0.0

    @property
    def is_raw(self) -> bool:
        """Whether a time is compared that took no turns with anything that both runs have."""
        return self.basis.startswith(RAW)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows that both runs have, and what speaks against judging them."""

    rows: tuple[ComparedRow, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]
    unstable: tuple[str, ...]
    unscored: str = ""
    """Why no scores are compared, "" where they are."""
    circumstances: tuple[str, ...] = ()
    """What else differs between the runs, in words."""


def compare_runs(
    before: Run[Any], after: Run[Any], *, threshold: float = 0.03, points: float | None = None
) -> Comparison:
    """Compare the trials that two runs of one kind have in common.

    Args:
        before: the first run.
        after: the second run.
        threshold: smallest relative change of a time that matters.
        points: smallest change of the task's score that matters, in its unit (percentage points); None for the
            task's own, 0.3 points of top-1.

    Raises:
        ResultsError: the runs are of different kinds.
    """
    return compare_several(before, (after,), threshold=threshold, points=points)[0]


def compare_several(
    before: Run[Any], others: Sequence[Run[Any]], *, threshold: float = 0.03, points: float | None = None
) -> tuple[Comparison, ...]:
    """Compare several runs with a first one; p is corrected over all of them. Arguments and errors as above."""
    drafts = [_draft(before, after) for after in others]
    corrected = iter(_corrected([row for draft in drafts for row in draft.rows]))
    found = []
    for draft in drafts:
        rows = [_judged(next(corrected), draft, threshold, points) for _ in draft.rows]
        found.append(replace(draft, rows=tuple(rows)))
    return tuple(found)


def _draft(before: Run[Any], after: Run[Any]) -> Comparison:
    """Return what two runs have in common, not judged yet."""
    nouns = [KINDS[run.header.kind].noun for run in (before, after)]
    if nouns[0] != nouns[1]:
        raise ResultsError(f"{after.folder}: expected a run of {nouns[0]} as the first one, got one of {nouns[1]}")
    old = {result.trial.key: result for result in before.results if result.status == "ok"}
    new = {result.trial.key: result for result in after.results if result.status == "ok"}
    names = matched(old, new)
    firsts, seconds = ({pair[side] for pair in names} for side in (0, 1))
    pairs = [(old[first], new[second]) for first, second in names]
    compared = row_kind(before.header.kind).compared
    rows = [row for pair in pairs for row in compared(*pair, before.header, after.header)]
    return Comparison(
        rows=tuple(sorted(rows, key=lambda row: _ORDER.index(row.kind))),
        only_before=tuple(key for key in old if key not in firsts),
        only_after=tuple(key for key in new if key not in seconds),
        differences=tuple(dict.fromkeys(_differences(before, after, pairs))),
        unstable=tuple(str(run.folder) for run in (before, after) if run.header.unstable),
        unscored=_unscored(before.header, after.header),
        circumstances=tuple(circumstances(before, after)),
    )


def _judged(row: ComparedRow, draft: Comparison, threshold: float, points: float | None) -> ComparedRow:
    if row.kind == "time":
        judged = not draft.differences and not (draft.unstable and row.is_raw)
        return _judge_time(row, threshold=threshold, judged=judged)
    return _judge_accuracy(row, points) if row.kind == "accuracy" else row


def compared_networks(old: TrialResult, new: TrialResult, before: RunHeader, after: RunHeader) -> Iterator[ComparedRow]:
    """Yield what of two rows of a network is compared: times, accuracy where the images are the same, sizes."""
    yield from _times(old, new, spread=spread_of(before, after))
    if not _unscored(before, after):
        yield from _accuracy(old, new, load_task(after.suite.task), images=after.data.images)
    yield from _sizes(old, new)


def spread_of(before: RunHeader, after: RunHeader) -> float:
    """Return what a ratio is feared to differ by from process to process: more than nothing where a canary moved."""
    return BETWEEN_PROCESSES if before.unstable or after.unstable else 0.0


def _unscored(before: RunHeader, after: RunHeader) -> str:
    """Return why the scores of two runs cannot be paired, or "" where they can."""
    if (before.data.sha256, before.data.images) != (after.data.sha256, after.data.images):
        return "the runs scored different images"
    return (
        ""
        if before.suite.task == after.suite.task
        else f"the task was {before.suite.task} before, {after.suite.task} after"
    )


def _differences(before: Run[Any], after: Run[Any], pairs: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    """Yield what differs, in words, between the machines that made the rows of both runs."""
    machines = dict.fromkeys((old.machine, new.machine) for old, new in pairs) or {("", ""): None}
    for first, second in machines:
        facts = before.header.machine_of(first).environment, after.header.machine_of(second).environment
        for name in _MACHINE:
            old, new = (found.get(name) for found in facts)
            if old != new:
                yield f"{name}: {old} before, {new} after"
    if before.header.suite.threads != after.header.suite.threads:
        yield f"threads: {before.header.suite.threads} before, {after.header.suite.threads} after"


def _times(old: TrialResult, new: TrialResult, *, spread: float) -> Iterator[ComparedRow]:
    for group in dict.fromkeys(cell.group for cell in old.measurements):
        batch = batch_of(group)
        cells = [_cells(result, group) for result in (old, new)]
        own = [cell.get(result.trial.backend) for cell, result in zip(cells, (old, new), strict=True)]
        if batch is None or own[0] is None or own[1] is None or not own[0].samples_s or not own[1].samples_s:
            continue
        reference = next((name for name in cells[0] if name in cells[1] and name != old.trial.backend), "")
        logs = [process_logs(mine, cell.get(reference)) for mine, cell in zip((own[0], own[1]), cells, strict=True)]
        ratio, p = shift(*logs, spread=spread)
        yield ComparedRow(
            key=old.trial.key,
            kind="time",
            quantity=f"images_per_s_b{batch}",
            before=own[0].items / own[0].median_s,
            after=own[1].items / own[1].median_s,
            change=ratio.ratio,
            low=ratio.low,
            high=ratio.high,
            p=p,
            verdict="UNSURE",
            basis=basis_of(reference, logs),
        )


def _cells(result: TrialResult, group: str) -> dict[str, Measurement]:
    return {cell.cell: cell for cell in result.measurements if cell.group == group}


def _accuracy(old: TrialResult, new: TrialResult, task: Task, *, images: int) -> Iterator[ComparedRow]:
    first, second = stored_scores(old, images), stored_scores(new, images)
    if first is None or second is None:
        return
    pair = Pair(first, second, task)
    alike = bool(first.size) and bool(np.all(first == second))
    change = (0.0, 0.0, 0.0) if alike else score_change(pair)
    if change is None:
        return
    same = "right on the same ones" if task.binary else "the same scores"
    scale = 100.0 if task.binary else 1.0
    yield ComparedRow(
        key=old.trial.key,
        kind="accuracy",
        quantity=task.primary.name,
        before=scale * float(first.mean()),
        after=scale * float(second.mean()),
        change=change[0],
        low=change[1],
        high=change[2],
        p=None if alike else pair.p(),
        verdict="UNSURE",
        basis=f"same images, {same}" if alike else "same images",
        unit=task.unit_of_change,
        better=task.primary.better,
        matters=task.matters,
    )


def _sizes(old: TrialResult, new: TrialResult) -> Iterator[ComparedRow]:
    for name in SIZES:
        values = [result.metrics[name].value if name in result.metrics else None for result in (old, new)]
        if values[0] and values[1] is not None:
            ratio = values[1] / values[0]
            word: Verdict = "SAME" if ratio == 1 else "SMALLER" if ratio < 1 else "LARGER"
            yield ComparedRow(
                old.trial.key, "size", name, values[0], values[1], ratio, ratio, ratio, None, word, "exact"
            )  # fmt: skip


def _corrected(rows: list[ComparedRow]) -> list[ComparedRow]:
    """Return the rows with p corrected by Holm over all of their kind; sizes leave nothing to chance."""
    found = list(rows)
    for kind in ("time", "accuracy"):
        places = [place for place, row in enumerate(rows) if row.kind == kind]
        p_values = [rows[place].p for place in places]
        for place, p in zip(places, holm([1.0 if one is None else one for one in p_values]), strict=True):
            found[place] = replace(rows[place], p=p)
    return found


def _judge_time(row: ComparedRow, *, threshold: float, judged: bool) -> ComparedRow:
    """Return the row with its verdict; a change must be beyond chance and reach the threshold."""
    if not judged:
        return replace(row, verdict="NOT JUDGED")
    word: Verdict = verdict(Ratio(row.change, row.low, row.high), threshold=threshold)
    by_chance = word in ("FASTER", "SLOWER") and (row.p is None or row.p >= ALPHA)
    return replace(row, verdict="UNSURE" if by_chance else word)


def _judge_accuracy(row: ComparedRow, points: float | None) -> ComparedRow:
    least = row.matters if points is None else points
    change = row.change, row.low, row.high
    return replace(row, verdict=score_verdict(change, row.p, higher=row.better == "higher", least=least))
