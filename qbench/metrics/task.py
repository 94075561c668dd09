"""A task: what a network's outputs are for, and so how each sample is scored and which score counts.

Everything that says "the score" (rows, tables, targets, comparisons, the report) reads it from here. To add a task:
one file, one line in `TASKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats
from qbench.core.trial import Metric, TrialResult
from qbench.metrics import accuracy, means
from qbench.metrics.bits import Bools, pack_bits, pack_scores, unpack_bits, unpack_scores
from qbench.metrics.kinds import MetricKind

Doubles = npt.NDArray[np.float64]
Each = Bools | Doubles
"""A score per sample, (n,): bool where a sample is right or wrong, else float64 numbers that float32 holds."""

Outputs = Literal["classes", "numbers"]
"""What the outputs (n, m) of a network are: a score per class, or m numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a task says of one row.

    Args:
        each: a score per sample, (n,), bool or finite floats; floats are rounded to float32, as they are stored.
        more: other scores that only this task can give, by the name of their kind.
    """

    each: Each
    more: Mapping[str, Metric] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.each.dtype != np.bool_:
            object.__setattr__(self, "each", self.each.astype(np.float32).astype(np.float64))
        if self.each.ndim != 1 or not np.all(np.isfinite(self.each)):
            raise ValueError(f"expected a finite score per sample, got {self.each.dtype} {self.each.shape}")

    @property
    def stored(self) -> dict[str, str]:
        """The scores as a row keeps them: as the bits `correct`, or as the numbers `scores`."""
        if self.each.dtype == np.bool_:
            return {"correct": pack_bits(self.each)}
        return {"scores": pack_scores(self.each)}


def stored_scores(row: TrialResult, count: int) -> Each | None:
    """Return the scores (count,) that a row keeps, None where it has none; raise ResultsError when they do not fit."""
    if row.correct:
        return unpack_bits(row.correct, count)
    return unpack_scores(row.scores, count) if row.scores else None


@dataclass(frozen=True, eq=False)
class Answers:
    """What fp32 answers on the evaluation samples, what is right, and how answers are scored.

    Args:
        logits: outputs (n, m) of the independent fp32 runtime.
        labels: (n,), or (0,) where nothing is known of the samples.
        task: scores them.
        shape: of one answer as the network gives it, e.g. (tokens, classes); (m,) where it is left out.
    """

    logits: Floats
    labels: npt.NDArray[np.int64]
    task: Task
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Take an answer as a vector where nothing else is said."""
        if not self.shape:
            object.__setattr__(self, "shape", (self.logits.shape[1],))

    @property
    def labelled(self) -> bool:
        """Whether there is a right answer."""
        return len(self.labels) > 0

    @cached_property
    def scores(self) -> Scores:
        """The scores of fp32's own answers."""
        return self.task.score(self.logits, self)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A row's outputs (n, m), fp32's, and the row's scores: what scores of the stage `outputs` are computed from."""

    outputs: Floats
    answers: Answers
    scores: Scores


@dataclass(frozen=True, slots=True)
class Task:
    """How a network's outputs are scored.

    Args:
        name: as suites write it.
        title: of the primary score in tables, without its unit, e.g. `top-1`.
        doc: one line.
        primary: the score that counts, the mean of every sample's; in percent where a sample is right or wrong.
        loss: what a row lost against the fp32 row on the same samples, positive where it is worse; None where a
            sample's score is a distance from fp32's answer already.
        score: function of outputs (n, m) and of the answers of fp32 with the labels.
        binary: whether a sample is right or wrong (its score is bool), so that McNemar's test applies.
        labelled: whether labels are needed.
        outputs: what the network must answer.
        least_outputs: fewest numbers per answer with which the score says anything.
        matters: smallest change of the primary score that a comparison of two runs speaks of, in its unit.
    """

    name: str
    title: str
    doc: str
    primary: MetricKind
    loss: MetricKind | None
    score: Callable[[Floats, Answers], Scores]
    binary: bool = False
    labelled: bool = True
    outputs: Outputs = "classes"
    least_outputs: int = 2
    matters: float = 0.3

    def __post_init__(self) -> None:
        if self.primary.better == "none":
            raise ValueError(f"task '{self.name}': expected a primary score of which more or less is better")
        if self.binary and self.primary.better != "higher":
            raise ValueError(f"task '{self.name}': expected that being right is better")

    @property
    def loss_word(self) -> str:
        """What a loss is called before its unit: `drop` where more is better, else `rise`."""
        return "drop" if self.higher else "rise"

    @property
    def unit_of_change(self) -> str:
        """The unit of a difference of two scores: points where the score is a percentage."""
        return "points" if self.binary else self.primary.unit

    @property
    def lost_words(self) -> str:
        """What a loss is called in a sentence, e.g. `points of top-1 lost`, `cross entropy risen, nats`."""
        if self.loss is None:
            return self.heading
        return f"{self.loss.unit} of {self.title} lost" if self.higher else f"{self.title} risen, {self.loss.unit}"

    @property
    def p_name(self) -> str:
        """The name of the p of "no difference from fp32" in rows and tables."""
        return "mcnemar_p" if self.binary else "permutation_p"

    @property
    def higher(self) -> bool:
        """Whether more of the primary score is better."""
        return self.primary.better == "higher"

    @property
    def heading(self) -> str:
        """Title and unit of the primary score, e.g. `top-1 %`."""
        return f"{self.title} {self.primary.unit}".strip()

    def summary(self, each: Each) -> Metric:
        """Return the primary score of a row from those of its samples, with its interval; value None for no samples."""
        if self.binary:
            return accuracy.share(each, self.primary)
        if not each.size:
            return self.primary.of(None)
        value, low, high = means.mean_interval(np.asarray(each, np.float64))
        return self.primary.of(value, low=low, high=high)

    @property
    def kinds(self) -> tuple[MetricKind, ...]:
        """The kinds that are this task's own."""
        return (self.primary,) if self.loss is None else (self.primary, self.loss)

    def gain(self, change: float) -> float:
        """Return a change of the primary score, positive where it is for the better."""
        return change if self.higher else -change
