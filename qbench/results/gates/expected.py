"""A run of a network judged by what its suite expects of it: met, unmet, or not to be told from these samples.

A bound is held against the whole 95 % interval of a value, a share of fp32's score by the test of non-inferiority, an
order by the paired test on the same samples, corrected by Holm (1979) over all orders of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from qbench.core.trial import TrialResult
from qbench.metrics import Task, load_task
from qbench.metrics.pair import Pair
from qbench.metrics.task import Each, stored_scores
from qbench.results.header import Expected, Ordered
from qbench.results.index import frame
from qbench.results.judge import ALPHA, holm
from qbench.results.reader import NetworkRun
from qbench.results.tables import number_text

Outcome = Literal["met", "unmet", "unsure", "missing", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a row, or a pair of rows, shows of one expectation.

    Args:
        asked: the expectation in words.
        key: of the row; of a pair of the one that is to be the better.
        outcome: `missing`, `skipped` and `failed` say why a row shows nothing.
        text: what was expected and what came.
    """

    asked: str
    key: str
    outcome: Outcome
    text: str


def shown(run: NetworkRun) -> tuple[Shown, ...]:
    """Return what the rows of a run show of every expectation, in the order of the suite."""
    if not run.header.suite.expect:
        return ()
    rows = {row.trial.key: row for row in run.results}
    records: list[dict[str, Any]] = frame(run).to_dict("records")  # type: ignore[assignment]
    values = {str(record["key"]): record for record in records}
    tests = _tests(run, rows)
    found: list[Shown] = []
    for one in run.header.suite.expect:
        name = one.name or one.text
        if not one.keys and not one.pairs:
            found.append(Shown(name, name, "missing", f"expected {one.text}, the run has no such rows"))
        for key in one.keys:
            found.append(_absent(name, key, rows) or Shown(name, key, *_judged(run, one, rows[key], values[key])))
        for pair in one.pairs:
            gone = _absent(name, pair.worse, rows) or _absent(name, pair.better, rows)
            found.append(gone or Shown(name, pair.better, *_ordered(one, pair, values, tests)))
    return tuple(found)


def _absent(name: str, key: str, rows: Mapping[str, TrialResult]) -> Shown | None:
    """Return why a row shows nothing, None where it is there and ok."""
    if key not in rows:
        return Shown(name, key, "missing", f"{name}: the run has no such row")
    row = rows[key]
    if row.status == "ok":
        return None
    return Shown(name, key, "skipped" if row.status == "skipped" else "failed", f"{name}: {row.reason}")


def _judged(run: NetworkRun, one: Expected, row: TrialResult, record: Mapping[str, Any]) -> tuple[Outcome, str]:
    if one.keep is not None:
        return _kept(run, one.keep, row)
    value, low, high = _number(record, one.column)
    wanted = _wanted(one)
    if value is None:
        return "missing", f"{wanted}, the row has no {one.column}"
    if one.judge == "value":
        low = high = value
    least, most = -math.inf if one.least is None else one.least, math.inf if one.most is None else one.most
    interval = f" [{number_text(low)}, {number_text(high)}]" if low < high else ""
    text = f"{wanted}, got {number_text(value)}{interval}"
    if least <= low and high <= most:
        return "met", text
    return ("unmet" if high < least or low > most else "unsure"), text


def _wanted(one: Expected) -> str:
    ends = (("at least", one.least), ("at most", one.most))
    return f"expected {one.column} " + " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)


def _number(record: Mapping[str, Any], column: str) -> tuple[float | None, float, float]:
    """Return a value of a row with its interval, which is the value itself where it has none."""
    value = record.get(column)
    if value is None or not math.isfinite(value):
        return None, math.nan, math.nan
    ends = (record.get(f"{column}_{end}") for end in ("low", "high"))
    low, high = (float(value) if end is None or math.isnan(end) else float(end) for end in ends)
    return float(value), low, high


def _kept(run: NetworkRun, keep: float, row: TrialResult) -> tuple[Outcome, str]:
    task, images, baseline = load_task(run.header.suite.task), run.header.data.images, run.baseline
    reference = stored_scores(baseline, images) if baseline else None
    each = stored_scores(row, images)
    if reference is None or each is None or task.loss is None:
        return "missing", f"expected {100 * keep:g} % of fp32's {task.title} kept, there is no score to compare"
    pair = Pair(reference, each, task)
    kept, words = pair.kept(), {"kept": "met", "lost": "unmet", "unsure": "unsure"}
    interval = "" if kept.low is None or kept.high is None else f" [{kept.low:.2f}, {kept.high:.2f}]"
    got = "nothing to tell" if kept.value is None else f"{kept.value:.2f} %{interval}"
    outcome: Any = words[pair.verdict(keep)]
    return outcome, f"expected {100 * keep:g} % of fp32's {task.title} kept, got {got}"


@dataclass(frozen=True, slots=True)
class _Test:
    """How much better the better row is in the task's unit, its paired 95 % interval, and Holm's p of no difference.

    `apart` says that what both rows lost against fp32, paired too, has intervals that do not overlap.
    """

    gain: float
    ends: tuple[float, float]
    unit: str
    p: float
    apart: bool

    @property
    def text(self) -> str:
        """The gain with its interval."""
        low, high = self.ends
        beside = "; their intervals against fp32 do not overlap" if self.apart else ""
        return f"{self.gain:+.2f} {self.unit} [{low:+.2f}, {high:+.2f}] (p {self.p:.2g}{beside})"


def _tests(run: NetworkRun, rows: Mapping[str, TrialResult]) -> dict[Ordered, _Test]:
    """Return the paired tests of all orders of scores."""
    task, images = load_task(run.header.suite.task), run.header.data.images
    base = None if run.baseline is None else stored_scores(run.baseline, images)
    found: dict[Ordered, _Test] = {}
    for ordered in (pair for one in run.header.suite.expect if not one.column for pair in one.pairs):
        each = [stored_scores(rows[key], images) if key in rows else None for key in (ordered.worse, ordered.better)]
        if each[0] is not None and each[1] is not None:
            pair = Pair(each[0], each[1], task)
            p, (lost, low, high) = pair.p(), pair.loss()
            ends = (-(high or 0.0), -(low or 0.0))
            apart = _span(each[0], base, task)[1] < _span(each[1], base, task)[0]
            found[ordered] = _Test(-(lost or 0.0), ends, task.unit_of_change, 1.0 if p is None else p, apart)
    corrected = holm([test.p for test in found.values()])
    return {key: replace(test, p=p) for (key, test), p in zip(found.items(), corrected, strict=True)}


def _span(each: Each, base: Each | None, task: Task) -> tuple[float, float]:
    """Return the 95 % interval of a row, more being better: against fp32, or of a score that is so already."""
    if task.loss is not None and base is not None:
        _, low, high = Pair(base, each, task).loss()
        return -(high or 0.0), -(low or 0.0)
    found = task.summary(each)
    ends = task.gain(found.low or 0.0), task.gain(found.high or 0.0)
    return min(ends), max(ends)


def _ordered(
    one: Expected, pair: Ordered, values: Mapping[str, Mapping[str, Any]], tests: Mapping[Ordered, _Test]
) -> tuple[Outcome, str]:
    if one.column:
        return _numbers_ordered(one, pair, values)
    wanted = f"expected {'better' if pair.strictly else 'no worse'} than {pair.worse}"
    if pair not in tests:
        return "missing", f"{wanted}, there are no scores to compare"
    test = tests[pair]
    text = f"{wanted}, got {test.text}"
    if test.p < ALPHA:
        return ("met" if test.gain > 0 else "unmet"), text
    return ("unsure" if pair.strictly else "met"), text


def _numbers_ordered(one: Expected, pair: Ordered, values: Mapping[str, Mapping[str, Any]]) -> tuple[Outcome, str]:
    """Judge an order of a column's numbers by their intervals, which must not overlap to tell."""
    (small, small_low, small_high), (large, large_low, large_high) = (
        _number(values[key], one.column) for key in (pair.worse, pair.better)
    )
    wanted = f"expected {'more' if pair.strictly else 'no less'} {one.column} than {pair.worse}"
    if small is None or large is None:
        return "missing", f"{wanted}, there are no two numbers to compare"
    text = f"{wanted}, got {number_text(large)} and there {number_text(small)}"
    if large_high < small_low or (pair.strictly and large == small == large_low == small_high):
        return "unmet", text
    if not pair.strictly:
        return "met", text
    return ("met" if large_low > small_high else "unsure"), text


def summary(run: NetworkRun) -> str:
    """Return how many rows show what is expected, in words, "" where nothing is."""
    outcomes = [one.outcome for one in shown(run)]
    words = {"unmet": "not met", "unsure": "not to be told from these samples"}
    counted = [f"{outcomes.count(one)} {words.get(one, one)}" for one in dict.fromkeys(sorted(outcomes))]
    return f"expected  {', '.join(counted)}" if counted else ""
