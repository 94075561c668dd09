"""Comparisons with the first of some runs, or a run alone, judged by a gate: as Markdown, facts and JUnit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qbench.results.compare import Comparison, compare_several
from qbench.results.compare_table import comparison_markdown, remarks
from qbench.results.gates.expected import Shown
from qbench.results.gates.gate import Gate, Objection, Seen, seen
from qbench.results.gates.verdicts import check_junit, check_markdown, verdicts_facts, verdicts_junit
from qbench.results.reader import Run


@dataclass(frozen=True, slots=True)
class One:
    """One run against the first.

    Args:
        after: the run.
        comparison: what changed.
        objections: what is wrong.
        questions: what is guarded and could not be judged.
    """

    after: Run[Any]
    comparison: Comparison
    objections: tuple[Objection, ...]
    questions: tuple[Objection, ...]

    @property
    def wrong(self) -> tuple[Objection, ...]:
        """All that speaks against it."""
        return (*self.objections, *self.questions)

    @property
    def remarks(self) -> list[str]:
        """The answer, then what a reader must know beside it."""
        return remarks(self.comparison)


@dataclass(frozen=True, slots=True)
class Judged:
    """Runs against the first, and the exit code of all."""

    before: Run[Any]
    each: tuple[One, ...]
    code: int

    @property
    def wrong(self) -> tuple[Objection, ...]:
        """All that speaks against any of them, what is wrong before what could not be judged."""
        return (*(bad for one in self.each for bad in one.objections), *(q for one in self.each for q in one.questions))

    def markdown(self) -> str:
        """Return all of it as Markdown."""
        return "\n".join(comparison_markdown(self.before, one.after, one.comparison, one.wrong) for one in self.each)

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON has it: of a single comparison its facts, else the facts of each."""
        facts = [verdicts_facts((self.before, one.after), one.comparison, one.wrong) for one in self.each]
        return facts[0] if len(facts) == 1 else {"comparisons": facts}

    def junit(self) -> str:
        """Return all of it as JUnit's XML: a suite for each run."""
        return verdicts_junit([((self.before, one.after), one.comparison, one.wrong) for one in self.each])


def judged(runs: Sequence[Run[Any]], gate: Gate, *, threshold: float, points: float | None) -> Judged:
    """Compare runs with the first one and judge them.

    Args:
        runs: two or more.
        gate: what is guarded.
        threshold: smallest relative change of a time that counts.
        points: smallest change of the score that counts; None for the task's own.

    Raises:
        ResultsError: the runs are of different kinds.
    """
    before, *others = runs
    found = []
    for after, comparison in zip(
        others, compare_several(before, others, threshold=threshold, points=points), strict=True
    ):
        shows = seen(after) if gate.words else Seen((), ())
        objections = gate.objections(before, after, comparison, shows)
        found.append(One(after, comparison, objections, gate.open_questions(shows, comparison)))
    wrong, open_ones = (
        tuple(one for ones in found for one in getattr(ones, name)) for name in ("objections", "questions")
    )
    return Judged(before, tuple(found), gate.exit_code(wrong, open_ones))


@dataclass(frozen=True, slots=True)
class Checked:
    """A run judged by what its suite expects, and the exit code."""

    run: Run[Any]
    shows: Seen
    objections: tuple[Objection, ...]
    questions: tuple[Objection, ...]
    code: int

    @property
    def wrong(self) -> tuple[Objection, ...]:
        """All that speaks against it."""
        return (*self.objections, *self.questions)

    @property
    def met(self) -> tuple[Shown, ...]:
        """What holds."""
        return tuple(one for one in self.shows.shown if one.outcome == "met")

    @property
    def held(self) -> int:
        """How many expectations of rows, and bars, hold."""
        return len(self.met) + len(self.run.header.suite.bars) - len(self.shows.unmet)

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "run": str(self.run.folder),
            "objections": [asdict(one) for one in self.wrong],
            "shown": [asdict(one) for one in self.shows.shown],
        }

    def markdown(self) -> str:
        """Return all of it as Markdown."""
        return check_markdown(self.run, self.wrong, self.met)

    def junit(self) -> str:
        """Return all of it as JUnit's XML."""
        return check_junit(self.run, self.wrong, self.met)


def checked(run: Run[Any], gate: Gate) -> Checked:
    """Judge a run alone; raise ResultsError where its suite expects nothing."""
    shows = seen(run)
    objections, questions = gate.objections_alone(run, shows), gate.open_questions(shows)
    return Checked(run, shows, objections, questions, gate.exit_code(objections, questions))
