"""Two rows on the same samples, whatever their task: what one lost, by luck or not, and whether it kept enough.

Where a sample is right or wrong this is McNemar's business (`paired`, `noninferiority`), else that of the differences
of every sample's scores (`means`). Both know from the task which way is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qbench.core.trial import Metric
from qbench.metrics import means, noninferiority, paired
from qbench.metrics.kinds import MetricKind
from qbench.metrics.task import Each, Task

Kept = Literal["kept", "lost", "unsure"]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Scores of every sample of a reference and of a row, (n,) each, by one task.

    Raises:
        ValueError: they are not of equal length.
    """

    reference: Each
    each: Each
    task: Task

    def __post_init__(self) -> None:
        if self.reference.shape != self.each.shape or self.each.ndim != 1:
            raise ValueError(f"expected scores of the same samples, got {self.reference.shape} and {self.each.shape}")

    def loss(self) -> tuple[float | None, float | None, float | None]:
        """Return what the row lost on average, in the unit of the task's loss, with its paired 95 % interval.

        Positive where the row is worse; points where a sample is right or wrong.
        """
        if not self.each.size:
            return None, None, None
        if self.task.binary:
            found = paired.drop(self.reference, self.each)
            return found.value, found.low, found.high
        return means.mean_interval(self.losses)

    def p(self) -> float | None:
        """Return the two-sided p of "no difference": McNemar's mid-p, or of a permutation of signs."""
        if not self.each.size:
            return None
        if self.task.binary:
            return paired.mcnemar_midp(self.reference, self.each).value
        return means.permutation_p(self.losses)

    def verdict(self, keep: float, *, alpha: float = 0.05) -> Kept:
        """Return `kept` when keeping less than `keep` is refuted, `lost` when keeping as much is, else `unsure`."""
        p = self.keeps_p(keep)
        if p is None:
            return "unsure"
        return "kept" if p < alpha else "lost" if p > 1 - alpha else "unsure"

    def keeps_p(self, keep: float) -> float | None:
        """Return the one-sided p of "keeps less than the share `keep` of the reference's score".

        A score of which less is better keeps 0.99 when the reference's is at least 0.99 of it.
        """
        if self.task.binary:
            return noninferiority.keeps(self.reference, self.each, keep).value
        return means.ratio_p(*self._ratio, least=keep) if self._has_ratio else None

    def kept(self) -> Metric:
        """Return the share of the reference's score that was kept, in percent, with its 95 % interval."""
        if self.task.binary:
            return noninferiority.kept(self.reference, self.each)
        if not self._has_ratio:
            return KEPT_PERCENT.of(None)
        value, low, high = means.ratio_interval(*self._ratio)
        ends = (None, None) if low is None or high is None else (100.0 * low, 100.0 * high)
        return KEPT_PERCENT.of(100.0 * value, low=ends[0], high=ends[1])

    @property
    def losses(self) -> means.Doubles:
        """What every sample lost, (n,)."""
        change = np.asarray(self.each, np.float64) - np.asarray(self.reference, np.float64)
        return -change if self.task.higher else change

    @property
    def _ratio(self) -> tuple[means.Doubles, means.Doubles]:
        """Numerator and denominator of what was kept: more is better."""
        pair = np.asarray(self.each, np.float64), np.asarray(self.reference, np.float64)
        return pair if self.task.higher else pair[::-1]

    @property
    def _has_ratio(self) -> bool:
        """Whether a share of a score means anything: only of scores that are not negative, and not all 0."""
        sides = (self.reference, self.each)
        return bool(self.each.size) and all(np.all(side >= 0) and np.any(side > 0) for side in sides)


def lost(pair: Pair, kind: MetricKind) -> Metric:
    """Return what a row lost as a score of its task's kind of loss."""
    value, low, high = pair.loss()
    return kind.of(value, low=low, high=high)


def _flipped(count: Callable[[paired.PairedCounts], int]) -> Callable[[Pair], float | None]:
    """Return a score that counts samples whose answer changed sides; only where a sample is right or wrong."""
    return lambda pair: float(count(paired.counts(pair.reference, pair.each))) if pair.task.binary else None


def _keeps(keep: float) -> Callable[[Pair], Metric]:
    return lambda pair: Metric(pair.keeps_p(keep), "p", "lower")


MCNEMAR_P = MetricKind(
    "mcnemar_p", "p", "none", "McNemar's mid-p: chance of so unequal a gain and loss by luck",
    "pair", lambda pair: Metric(pair.p(), "p") if pair.task.binary else None,
)  # fmt: skip
PERMUTATION_P = MetricKind(
    "permutation_p", "p", "none", "chance of so large a mean difference by luck, where a sample's score is a number",
    "pair", lambda pair: None if pair.task.binary else Metric(pair.p(), "p"),
)  # fmt: skip
KEPT_PERCENT = MetricKind(
    "kept_percent", "%", "higher", "score as a share of fp32's, same samples, paired 95 % interval", "pair", Pair.kept
)
RIGHT_TO_WRONG = MetricKind(
    "right_to_wrong_samples", "samples", "lower", "samples that fp32 has right and the row has wrong",
    "pair", _flipped(lambda table: table.lost),
)  # fmt: skip
WRONG_TO_RIGHT = MetricKind(
    "wrong_to_right_samples", "samples", "none", "samples that fp32 has wrong and the row has right",
    "pair", _flipped(lambda table: table.gained),
)  # fmt: skip
KEEPS_99 = MetricKind(
    "keeps_99", "p", "lower", "one-sided p of 'keeps less than 99 % of fp32': below 0.05 it is kept",
    "pair", _keeps(0.99),
)  # fmt: skip
KEEPS_999 = MetricKind(
    "keeps_999", "p", "lower", "one-sided p of 'keeps less than 99.9 %': below 0.05 it is kept", "pair", _keeps(0.999)
)
