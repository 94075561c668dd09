"""Rows that differ in one field alone, each against each on the same samples: method against method, run against run.

Two rows of equal spec, layers and so on, one by `mse` and one by `mse/both`, were scored on the same samples: what one
lost against the other is a paired difference. Every comparison is one of many, so p is corrected by Holm (1979).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from qbench.core.alike import FIELDS, all_but, trial_fields
from qbench.core.trial import Trial, TrialResult
from qbench.errors import ResultsError, suggest
from qbench.metrics import Task, load_task
from qbench.metrics.pair import Pair
from qbench.metrics.task import Each, stored_scores
from qbench.results.judge import ScoreVerdict, holm, score_change, score_verdict
from qbench.results.reader import Run

RUN = "run"
"""A field beside those of a trial: the run that a row is of."""


@dataclass(frozen=True, slots=True)
class Duel:
    """Two rows on the same samples.

    Args:
        shared: what they have in common, in words.
        first: the field's value of one.
        second: of the other.
        change: score of the second minus that of the first, in the unit of the task's loss.
        low: lower end of its paired 95 % interval.
        high: upper end.
        unit: of the change.
        p: of no difference, corrected.
        verdict: of the second.
    """

    shared: str
    first: str
    second: str
    change: float
    low: float
    high: float
    unit: str
    p: float
    verdict: ScoreVerdict


@dataclass(frozen=True, slots=True)
class _Scored:
    trial: Trial
    value: str
    each: Each


def duels(
    runs: Sequence[Run[Any]],
    by: str,
    *,
    holds: Callable[[Trial], bool] = lambda trial: True,
    points: float | None = None,
) -> tuple[Duel, ...]:
    """Return every pair of rows that differ in a field alone.

    Args:
        runs: of networks, scored on the same samples by the same task.
        by: the field, a name of `FIELDS`, or `run`.
        holds: which trials take part.
        points: smallest change that counts, in the task's unit; None for its own.

    Raises:
        ResultsError: there is no such field, the runs were scored otherwise or not at all, or no two rows are a pair.
    """
    if by not in (*FIELDS, RUN):
        raise ResultsError(f"--by: no field '{by}' of a row{suggest(by, (*FIELDS, RUN))}")
    task = _shared_task(runs)
    found = [_duel(*pair, task) for group in _groups(runs, by, holds).values() for pair in combinations(group, 2)]
    if not found:
        raise ResultsError(f"--by {by}: no two rows differ in it alone")
    corrected = holm([duel.p for duel in found])
    least = task.matters if points is None else points
    return tuple(_judged(replace(duel, p=p), task, least) for duel, p in zip(found, corrected, strict=True))


def _shared_task(runs: Sequence[Run[Any]]) -> Task:
    first = runs[0].header
    for run in runs:
        here = run.header
        if (here.data.sha256, here.data.images, here.suite.task) != (
            first.data.sha256, first.data.images, first.suite.task,
        ):  # fmt: skip
            raise ResultsError(f"{run.folder}: expected scores on the samples and by the task of {runs[0].folder}")
    if not any(isinstance(row, TrialResult) and (row.correct or row.scores) for run in runs for row in run.results):
        raise ResultsError(f"{runs[0].folder}: expected rows that were scored, got none")
    return load_task(first.suite.task)


def _groups(runs: Sequence[Run[Any]], by: str, holds: Callable[[Trial], bool]) -> Mapping[Hashable, list[_Scored]]:
    """Return rows that share all but the field, each value once."""
    found: dict[Hashable, dict[str, _Scored]] = {}
    for run in runs:
        for row in run.results:
            if row.status != "ok" or not holds(row.trial):
                continue
            each = stored_scores(row, run.header.data.images)
            value = run.folder.name if by == RUN else str(trial_fields(row.trial)[by])
            if each is not None and each.size:
                group = found.setdefault(all_but(row.trial, by), {})
                group.setdefault(value, _Scored(row.trial, value, each))
    return {shared: [*group.values()] for shared, group in found.items()}


def _duel(first: _Scored, second: _Scored, task: Task) -> Duel:
    pair = Pair(first.each, second.each, task)
    change, p = score_change(pair) or (0.0, 0.0, 0.0), pair.p()
    shared = _words(first.trial, second.trial)
    return Duel(shared, first.value, second.value, *change, task.unit_of_change, 1.0 if p is None else p, "UNSURE")


def _words(first: Trial, second: Trial) -> str:
    """Return the spec, recipe, layers and so on that both trials have."""
    shared = []
    for name in ("spec", "recipe", "edges", "overrides", "source", "backend", "accumulator"):
        values = {getattr(trial, name) for trial in (first, second)}
        if len(values) == 1 and (value := values.pop()) not in ("", "qbench"):
            shared.append(value)
    return " ".join(shared) + (f" ({first.layers})" if first.layers == second.layers != "all" else "")


def _judged(duel: Duel, task: Task, least: float) -> Duel:
    change = duel.change, duel.low, duel.high
    return replace(duel, verdict=score_verdict(change, duel.p, higher=task.higher, least=least))


def summary(found: Sequence[Duel]) -> Iterator[str]:
    """Yield a sentence for each two values: how often the second is better, worse, the same, or not to be told."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for duel in found:
        counts.setdefault((duel.first, duel.second), Counter())[duel.verdict] += 1
    for (first, second), words in counts.items():
        said = ", ".join(f"{words[word]} {word}" for word in ("BETTER", "SAME", "UNSURE", "WORSE") if words[word])
        yield f"{second} against {first}: {said}"


HEADINGS = ("rows", "first", "second", "second's change", "95 %", "p (Holm)", "verdict of the second")


def duel_rows(found: Sequence[Duel]) -> list[tuple[str, ...]]:
    """Return a tuple of texts for every duel, those that a test tells apart first."""
    order = sorted(found, key=lambda duel: (duel.verdict not in ("BETTER", "WORSE"), duel.p))
    return [_texts(duel) for duel in order]


def _texts(duel: Duel) -> tuple[str, ...]:
    change, interval = f"{duel.change:+.4g} {duel.unit}", f"[{duel.low:+.3g}, {duel.high:+.3g}]"
    return duel.shared, duel.first, duel.second, change, interval, f"{duel.p:.3f}", duel.verdict
