"""The answer in a few lines: the best row of each width, what it loses, and how fast it is beside the best others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from qbench.core.trial import ON_INTEGERS
from qbench.report import words
from qbench.report.answer import find
from qbench.report.cards import best_rivals, headline
from qbench.report.rivals import CLASSES, Rival
from qbench.report.rows import Row
from qbench.report.view import WIDTHS, RunView, in_bits

_ALIKE = 1.05
"""Sizes that differ by less are alike."""
_RANK = {"kept": 0, "unsure": 1}


@dataclass(frozen=True, slots=True)
class Best:
    """The best row of one width of weights.

    Args:
        width: as an axis shows it, e.g. `8`, `T`.
        row: of the rows that keep the target the smallest, else the one with the best score.
        timed: a timed row of the same network, None where no sweep timed it.
        beside: the fastest library of each class in the rounds of `timed`.
    """

    width: str
    row: Row
    timed: Row | None
    beside: tuple[Rival, ...]


def best_of_widths(view: RunView) -> tuple[Best, ...]:
    """Return the best row of each width, from many bits to few: rows on integer kernels where a width has any."""
    found = []
    for width, (best, *_) in by_width(view).items():
        found.append(Best(width, best, view.timed_twin(best), best_rivals(best, view)))
    return tuple(found)


def by_width(view: RunView) -> dict[str, list[Row]]:
    """Return the rows of each width that has any, the best first: rows on integer kernels before all others."""
    found: dict[str, list[Row]] = {width: [] for width in WIDTHS}
    for row in view.network:
        if row.spec.scope != "activations":
            found[row.width].append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row.result.execution not in ON_INTEGERS, *_order(row, view)))
    return {width: rows for width, rows in found.items() if rows}


def best_first(view: RunView) -> list[Row]:
    """Return all rows: fp32, the best of each width, the second best of each, and so on; then the others of the run.

    Where two sweeps hold the same, the row with times stands before the one without.
    """
    turns = zip_longest(*by_width(view).values())
    ranked = [view.timed_twin(row) or row for turn in turns for row in turn if row is not None]
    first = [view.baseline] if view.baseline else []
    return list({id(row): row for row in (*first, *ranked, *view.rows)}.values())


def _order(row: Row, view: RunView) -> tuple[float, float, bool, float]:
    """Return what a row is chosen by: those that keep the target, then those that may, then all others.

    Of rows that keep it the smallest counts, but bytes of a few scales more or less do not: then those that were timed.
    """
    place, packed, merit = _RANK.get(row.target, 2), row.value("packed_bytes") or 1.0, view.merit(row)
    untimed = view.timed_twin(row) is None
    if place == 0:
        return place, round(math.log(packed, _ALIKE)), untimed, -merit
    return place, -merit, untimed, packed


@dataclass(frozen=True, slots=True)
class Widths:
    """The best of each width as text.

    Args:
        headings: of the columns.
        rows: cells, from many bits to few.
        lines: of `trials.jsonl`, where each row comes from.
        notes: what the widths `T` and `B` are, and who the fastest libraries are, where there are any.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def widths_table(view: RunView) -> Widths:
    """Return the table of the best row of each width; of speeds, the ratio to the fastest library of each class."""
    found = best_of_widths(view)
    kinds = [kind for kind in CLASSES if any(one.kind == kind for best in found for one in best.beside)]
    headings = ("bits", "row", "size", "score", "lost", "target", *(f"{words.TIMES} {kind}" for kind in kinds))
    names = {kind: {one.name: None for best in found for one in best.beside if one.kind == kind} for kind in kinds}
    said = "; ".join(" or ".join(each) for each in names.values())
    notes = [f"{one.width}: {in_bits(one.width)}" for one in found if one.width in "TB"]
    if said:
        what = f"{words.TIMES}: how many times as fast as the fastest library of a class"
        notes.append(f"{what}, batch {view.batches[-1]}: {said}")
    lines = tuple(best.row.line for best in found)
    return Widths(headings, tuple(_cells(best, view, kinds) for best in found), lines, tuple(notes))


def _cells(best: Best, view: RunView, kinds: Sequence[str]) -> tuple[str, ...]:
    score = best.row.metric(view.task.primary.name)
    beside = {one.kind: words.ratio(one.speedup.value) for one in best.beside}
    return (
        best.width,
        best.row.label,
        words.size(best.row.value("packed_bytes")),
        f"{words.number(score.value if score else None)} {view.task.primary.unit}",
        _lost(view, best.row),
        best.row.target or words.ABSENT,
        *(beside.get(kind, words.ABSENT) for kind in kinds),
    )


def _lost(view: RunView, row: Row) -> str:
    lost = view.lost(row)
    if lost is None or lost.value is None:
        return words.ABSENT
    digits = 2 if abs(lost.value) < 10 else 1
    return f"{words.number(lost.value, digits)} [{words.interval(lost, digits)}]"


def answer_lines(view: RunView) -> list[str]:
    """Return the answer in at most three sentences: what is smallest, how sure that is, what is fastest."""
    found = find(view)
    lines = [headline(view, found)]
    if found.headline is not None and view.lost(found.headline) is not None:
        lost = view.lost(found.headline)
        assert lost is not None
        lines.append(
            f"It loses {words.number(lost.value)} {view.task.unit_of_change} [{words.interval(lost)}] on "
            f"{view.header.data.images:,} samples."
        )
    if found.unsure:
        count = len(found.unsure)
        lines.append(
            f"{count} smaller {'row' if count == 1 else 'rows'} may keep it too: more samples would tell "
            f"(smallest: {min(found.unsure, key=lambda row: row.value('packed_bytes') or 0.0).label})."
        )
    return lines
