"""What a gate objects to: changes for the worse, and rows, figures or bars that a gate must not pass over in silence.

A gate that looks only at rows which both runs have is green when the guarded row is gone. So what is missing, skipped
or failed and a bar that is not met are objections unless they are allowed by name; what cannot be judged is said too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import ResultsError
from qbench.results.compare import ComparedRow, Comparison, Quantity
from qbench.results.gates.expected import Shown
from qbench.results.kind import row_kind
from qbench.results.reader import Run

CHANGES = {"slower": "SLOWER", "accuracy": "WORSE", "larger": "LARGER"}
"""Words for changes -> the verdict that each means."""
GUARDS: Mapping[str, Quantity] = {"slower": "time", "accuracy": "accuracy", "larger": "size"}
"""The same words -> the kind of figure that each guards."""
ABSENCES = ("missing", "skipped", "failed", "bars", "expect")
"""Words for what is not there or not reached; objections by default."""
_ONCE = ("skipped", "failed")
"""Words that are said once of a row, however many things it should have shown."""
UNJUDGED = 3
"""Exit code where what is guarded could not be judged."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that is wrong.

    Args:
        word: of `CHANGES` or `ABSENCES`, or `unjudged`.
        key: of the trial, or the name of the bar.
        text: what was expected and what came.
    """

    word: str
    key: str
    text: str

    @property
    def line(self) -> str:
        """One line."""
        return f"{self.word}: {self.key}: {self.text}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rows of a run show of what its suite expects: of every expectation, and of the bars that are not met."""

    shown: tuple[Shown, ...]
    unmet: tuple[tuple[str, str], ...]


def seen(run: Run[Any]) -> Seen:
    """Return what a run shows."""
    kind = row_kind(run.header.kind)
    return Seen(kind.shown(run), tuple(kind.unmet(run)))


@dataclass(frozen=True, slots=True)
class Gate:
    """What one comparison is guarded by.

    Args:
        words: changes that are objections, any of `CHANGES`.
        allowed: absences that are none, any of `ABSENCES`.
        unjudged: exit code where nothing is wrong but something could not be judged.
    """

    words: frozenset[str]
    allowed: frozenset[str] = frozenset()
    unjudged: int = UNJUDGED

    def objections(
        self, before: Run[Any], after: Run[Any], comparison: Comparison, shows: Seen
    ) -> tuple[Objection, ...]:
        """Return everything that is wrong, nothing where the gate guards nothing."""
        if not self.words:
            return ()
        found = [*self._changes(comparison), *_absences(before, after, comparison), *self._nothing(before)]
        return self._objected((*found, *_unshown(shows)))

    def objections_alone(self, run: Run[Any], shows: Seen) -> tuple[Objection, ...]:
        """Return what is wrong with a run by itself: failed rows, bars that are not met, what rows do not show.

        Raises:
            ResultsError: its suite expects nothing, so that there is nothing to be right.
        """
        if not run.header.suite.expect and not run.header.suite.bars:
            raise ResultsError(
                f"{run.folder}: expected a suite with the key 'expect' or 'bars', there is nothing to judge"
            )
        return self._objected((*_failed(run), *_unshown(shows)))

    def _objected(self, found: Iterable[Objection]) -> tuple[Objection, ...]:
        """Return what is not allowed, a row that failed only once."""
        unique = {(one.word, one.key) if one.word in _ONCE else one: one for one in found}
        return tuple(one for one in unique.values() if one.word not in self.allowed)

    def open_questions(self, shows: Seen, comparison: Comparison | None = None) -> tuple[Objection, ...]:
        """Return what is guarded and could not be judged: of a run alone, or of what changed to it."""
        if comparison is not None and not self.words:
            return ()
        found = [] if comparison is None else [*self._open(comparison)]
        return (*found, *(() if "expect" in self.allowed else _undecided(shows)))

    def exit_code(self, objections: tuple[Objection, ...], questions: tuple[Objection, ...]) -> int:
        """Return 1 for an objection, else the code for what could not be judged, else 0."""
        return 1 if objections else self.unjudged if questions else 0

    def _changes(self, comparison: Comparison) -> Iterator[Objection]:
        wanted = {CHANGES[word]: word for word in self.words}
        for row in comparison.rows:
            if row.verdict in wanted:
                yield Objection(wanted[row.verdict], row.key, _change(row))

    def _nothing(self, before: Run[Any]) -> Iterator[Objection]:
        """Yield words that guard nothing, as the first run has no such figure: a gate that cannot fail."""
        there = {kind for old in before.results if old.status == "ok" for kind, *_ in _figures(old, before)}
        for word in sorted(self.words):
            if GUARDS[word] not in there:
                yield Objection("missing", f"--fail-on {word}", f"{before.folder} has no {GUARDS[word]} to guard")

    def _open(self, comparison: Comparison) -> Iterator[Objection]:
        if "slower" in self.words:
            open_ones = ("NOT JUDGED", "UNSURE") if comparison.unstable else ("NOT JUDGED",)
            times = [row for row in comparison.rows if row.kind == "time" and row.verdict in open_ones]
            why = [*comparison.differences, *(f"unstable machine during {folder}" for folder in comparison.unstable)]
            if times:
                yield Objection("unjudged", f"{len(times)} times", "; ".join(why))
        if "accuracy" in self.words and comparison.unscored:
            yield Objection("unjudged", "scores", comparison.unscored)


def _change(row: ComparedRow) -> str:
    if row.kind == "accuracy":
        return f"{row.quantity} {row.before:.4g} before, {row.after:.4g} after, {row.change:+.4g} {row.unit}"
    return f"{row.quantity} {row.before:.6g} before, {row.after:.6g} after, {row.change:.3f} x"


def _absences(before: Run[Any], after: Run[Any], comparison: Comparison) -> Iterator[Objection]:
    """Yield rows that ran before and do not now, rows that failed, and figures that only the first run has."""
    there = {result.trial.key: result for result in after.results}
    compared = {(row.key, row.quantity) for row in comparison.rows}
    for old in before.results:
        new = there.get(old.trial.key)
        if old.status != "ok":
            continue
        if new is None:
            yield Objection("missing", old.trial.key, "the second run has no such row")
        elif new.status == "skipped":
            yield Objection("skipped", old.trial.key, new.reason)
        elif new.status == "ok":
            for kind, quantity, value in _figures(old, before):
                unscored = kind == "accuracy" and comparison.unscored
                if (old.trial.key, quantity) not in compared and not unscored:
                    text = f"{quantity} was {value:.4g} before, and is not there after"
                    yield Objection("missing", old.trial.key, text)
    yield from _failed(after)


def _failed(run: Run[Any]) -> Iterator[Objection]:
    for row in run.results:
        if row.status == "failed":
            yield Objection("failed", row.trial.key, row.reason)


def _figures(row: Any, run: Run[Any]) -> Iterator[tuple[Quantity, str, float]]:
    """Yield what of a row can be compared: the kind of figure, its column, its value."""
    kind = row_kind(run.header.kind)
    yield from (("time", timing.quantity, timing.rate) for timing in kind.timings(row))
    yield from ((one.kind, one.quantity, one.before) for one in kind.untimed(row, row, run.header, run.header))


def _unshown(shows: Seen) -> Iterator[Objection]:
    """Yield bars that are not met, then what rows do not show; a row that is not there or not ok by that word."""
    for name, text in shows.unmet:
        yield Objection("bars", name, text)
    for one in shows.shown:
        if one.outcome not in ("met", "unsure"):
            yield Objection("expect" if one.outcome == "unmet" else one.outcome, one.key, one.text)


def _undecided(shows: Seen) -> Iterator[Objection]:
    for one in shows.shown:
        if one.outcome == "unsure":
            yield Objection("unjudged", one.key, one.text)
