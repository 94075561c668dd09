"""Recipes ranked: at equal bits, and which rows lead where no more than so many bytes may be spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qbench.core.trial import Metric
from qbench.report import words
from qbench.report.tables.table import Cell, Column, Line, Table, score
from qbench.report.view import RunView
from qbench.results.ranking import Place, Ranking

_MOST_NAMED = 4


def equal_bits(view: RunView) -> Table:
    """Return one line for each recipe of each spec that was tried with several, the best of a spec first."""
    task = view.task
    columns = (
        Column("spec", number=False),
        Column("rank", hint="rows that no test tells from the best of their spec share rank 1"),
        Column("recipe", number=False),
        Column(task.heading, hint=task.primary.doc),
        Column(f"{task.lost_words}", hint="against fp32, paired, with its 95 % interval"),
        Column("behind the best", hint=f"{task.unit_of_change}, paired on the same samples, with its 95 % interval"),
        Column("p", hint="of no difference from the best, corrected for all recipes of the spec by Holm's rule"),
        Column("seconds", hint="calibrating and quantizing by itself; what earlier rows computed already counts too"),
        Column("packed", hint="bytes with scales, zero points and biases"),
        Column("line", hint="of trials.jsonl"),
    )
    lines = [line for ranking in view.by_bits for line in _lines(view, ranking)]
    return Table(columns, tuple(lines))


def _lines(view: RunView, ranking: Ranking) -> Iterator[Line]:
    task = view.task
    for index, place in enumerate(ranking.places):
        metrics, rank = place.row.metrics, 1 if place.leads else index + 1
        lost = metrics.get(task.loss.name) if task.loss else None
        behind = None if not index else Metric(place.behind, task.unit_of_change, "lower", place.low, place.high)
        packed = metrics.get("packed_bytes")
        spent = place.row.making_s
        cells = (
            Cell(ranking.name, ranking.name),
            Cell(str(rank), rank, tone="good" if place.leads else ""),
            Cell(place.row.trial.recipe, place.row.trial.recipe),
            score(metrics.get(task.primary.name), 2, interval=False),
            score(lost, 2),
            Cell("best", 0.0, tone="good") if behind is None else score(behind, 2),
            Cell(words.ABSENT if not index else words.p_value(place.p), place.p),
            Cell(words.seconds(spent), spent),
            Cell(words.size(packed.value), packed.value) if packed else Cell(words.ABSENT),
            _line_of(view, place),
        )
        yield Line(cells, {"spec": ranking.name, "recipe": place.row.trial.recipe})


def equal_bytes(view: RunView) -> Table:
    """Return one line for each size from which on other rows lead."""
    columns = (
        Column("with at most"),
        Column("leads", number=False),
        Column(view.task.heading, hint=view.task.primary.doc),
        Column("not told apart from it", number=False),
        Column("line", hint="of trials.jsonl"),
    )
    return Table(columns, tuple(_budget(view, ranking) for ranking in view.by_bytes))


def _budget(view: RunView, ranking: Ranking) -> Line:
    best, others = ranking.places[0], ranking.leaders[1:]
    return Line(
        (
            Cell(words.size(float(ranking.name)), float(ranking.name)),
            Cell(_label(best)),
            score(best.row.metrics.get(view.task.primary.name), 2),
            Cell(_named(others)),
            _line_of(view, best),
        )
    )


def _line_of(view: RunView, place: Place) -> Cell:
    line = view.row_of[place.row.trial.key].line
    return Cell(str(line), line)


def _label(place: Place) -> str:
    return f"{place.row.trial.spec} {place.row.trial.recipe}"


def _named(places: Sequence[Place]) -> str:
    more = len(places) - _MOST_NAMED
    return ", ".join(map(_label, places[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
