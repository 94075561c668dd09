"""Recipes ranked on the same samples: at equal bits, and at equal bytes.

Rows of one group are compared with the best of the group sample by sample. The best is the best only of these samples:
rows that a test cannot tell from it share its place. Every comparison of a group is one of several, so p is corrected
by Holm's rule (1979), and what is told apart is told apart at 5 % for the group as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from qbench.core.trial import TrialResult
from qbench.metrics import Task
from qbench.metrics.pair import Pair
from qbench.metrics.task import Each, stored_scores
from qbench.results.judge import ALPHA, holm


@dataclass(frozen=True, slots=True)
class Place:
    """One row in its group.

    Args:
        row: as the run keeps it.
        behind: what it lost against the best row of the group, in the unit of the task's loss, 0 for the best itself.
        low: lower end of the paired 95 % interval of `behind`; None where it has none.
        high: upper end.
        p: of "no difference from the best", corrected for the group; 1 for the best itself.
    """

    row: TrialResult
    behind: float
    low: float | None
    high: float | None
    p: float

    @property
    def leads(self) -> bool:
        """Whether the row cannot be told from the best."""
        return self.p >= ALPHA


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows that compete, the best first.

    Args:
        name: the spec that they share, or the row whose bytes none of them exceeds.
        places: at least two.
    """

    name: str
    places: tuple[Place, ...]

    @property
    def leaders(self) -> tuple[Place, ...]:
        """The rows that share the first place."""
        return tuple(place for place in self.places if place.leads)


def at_equal_bits(rows: Iterable[TrialResult], *, task: Task, samples: int) -> tuple[Ranking, ...]:
    """Return a ranking for every spec that was tried with two recipes or more on the whole network.

    Args:
        rows: of one run.
        task: how they were scored.
        samples: number of samples that each was scored on.

    Raises:
        ResultsError: the scores that a row keeps are not of so many samples.
    """
    groups: dict[str, list[_Scored]] = {}
    for one in _candidates(rows, samples):
        groups.setdefault(_spec(one.row), []).append(one)
    return tuple(_ranked(name, group, task) for name, group in groups.items() if len(group) > 1)


def at_equal_bytes(rows: Iterable[TrialResult], *, task: Task, samples: int) -> tuple[Ranking, ...]:
    """Return, for every packed size that was tried, smallest first, the ranking of all rows that are not larger.

    A size whose leaders are those of the size before says nothing new and is left out. Arguments as above.
    """
    sized = [(size, one) for one in _candidates(rows, samples) if (size := _packed(one.row)) is not None]
    found: list[Ranking] = []
    for limit in sorted({size for size, _ in sized}):
        fitting = [one for size, one in sized if size <= limit]
        if len(fitting) > 1:
            ranking = _ranked(f"{limit:.0f}", fitting, task)
            if not found or _rows(ranking.leaders) != _rows(found[-1].leaders):
                found.append(ranking)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """A row and the scores of its samples."""

    row: TrialResult
    each: Each


def _candidates(rows: Iterable[TrialResult], samples: int) -> list[_Scored]:
    """Return the rows that ran on qbench with the whole network quantized, each spec and recipe once."""
    found: dict[tuple[str, str], _Scored] = {}
    for row in rows:
        trial = row.trial
        quantized = trial.layers == "all" and trial.layer_spec.scope != "none" and trial.backend == "qbench"
        if row.status == "ok" and quantized and (_spec(row), trial.recipe) not in found:
            each = stored_scores(row, samples)
            if each is not None and each.size:
                found[_spec(row), trial.recipe] = _Scored(row, each)
    return list(found.values())


def _spec(row: TrialResult) -> str:
    """Return what of the network is quantized, and to what."""
    trial = row.trial
    return ", ".join([trial.spec, *[f"ends {trial.edges}"] * bool(trial.edges), *filter(None, [trial.overrides])])


def _packed(row: TrialResult) -> float | None:
    found = row.metrics.get("packed_bytes")
    return found.value if found else None


def _rows(places: Sequence[Place]) -> list[int]:
    return sorted(id(place.row) for place in places)


def _ranked(name: str, rows: Sequence[_Scored], task: Task) -> Ranking:
    order = sorted(rows, key=lambda one: -task.gain(float(one.each.mean())))
    places = [Place(order[0].row, 0.0, None, None, 1.0)]
    for one in order[1:]:
        pair = Pair(order[0].each, one.each, task)
        behind, low, high = pair.loss()
        p = pair.p()
        places.append(Place(one.row, behind or 0.0, low, high, 1.0 if p is None else p))
    corrected = holm([place.p for place in places[1:]])
    others = (replace(place, p=p) for place, p in zip(places[1:], corrected, strict=True))
    return Ranking(name, (places[0], *others))
