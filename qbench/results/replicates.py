"""Verdicts on ratios that were measured over several fresh processes: intervals come from processes, not from samples.

Samples of one process share one layout of memory and one placement of threads; what a new process changes is in none
of them. So a row's figure is the mean of its processes' medians, and its error is the spread between processes. Three
processes tell little of a spread; all rows together tell more: each row's variance is drawn towards what its fellows
have, as far as they agree among themselves (Smyth 2004, "Linear models and empirical Bayes methods", section 6.2).
That is right on the average of all rows, and not of a row that varies more than they do (Phipson et al. 2016, "Robust
hyperparameter estimation"): no interval is narrower than what the row's own spread gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t as student

from qbench.core.trial import Measurement
from qbench.metrics.speed import Ratio, Verdict, median_interval, paired_ratio, verdict
from qbench.results.judge import ALPHA, LEAST_VARIANCE, Logs, holm

Doubles = npt.NDArray[np.float64]
RAW = "raw times"
"""What is compared where nothing took turns with a row in both runs."""
_MOST_DEGREES = 1e4


@dataclass(frozen=True, slots=True)
class Judged:
    """One row's verdict.

    Args:
        ratio: speed of the second side over the first's, with the row's own 95 % interval.
        p: that the ratio is 1, corrected by Holm (1979).
        verdict: the word.
        processes: how many fresh processes of each side were timed.
    """

    ratio: Ratio
    p: float
    verdict: Verdict
    processes: int

    @property
    def half_width(self) -> float:
        """Half the interval, as a share of the ratio."""
        return 0.5 * math.log(self.ratio.high / self.ratio.low) if self.ratio.low > 0 else math.inf


def judge_rows(logs: Sequence[Sequence[float]], *, threshold: float = 0.03) -> list[Judged]:
    """Return the verdict of every row.

    Args:
        logs: for each row, the median log ratio of every process; rows of fewer than two are UNSURE.
        threshold: smallest relative change that counts.
    """
    means = np.array([np.mean(row) if row else 0.0 for row in logs])
    counts = np.array([len(row) for row in logs])
    own = np.array([max(float(np.var(row, ddof=1)), LEAST_VARIANCE) if len(row) > 1 else 0.0 for row in logs])
    freedom = np.maximum(counts - 1, 0).astype(np.float64)
    variances, degrees = _drawn(own, freedom)
    errors = np.sqrt(variances / np.maximum(counts, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = np.where(degrees > 0, 2 * student.sf(np.abs(means) / errors, np.maximum(degrees, 1.0)), 1.0)
    halves = np.maximum(_half(errors, degrees), _half(np.sqrt(own / np.maximum(counts, 1)), freedom))
    found = []
    for mean, half, p, count in zip(means, halves, holm(p_values.tolist()), counts, strict=True):
        ratio = Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half) if half < 700 else math.inf)
        found.append(Judged(ratio, p, _verdict(ratio, p, threshold), int(count)))
    return found


def _half(errors: Doubles, degrees: Doubles) -> Doubles:
    """Return half of every 95 % interval, infinite where there is no degree of freedom."""
    return np.where(degrees > 0, student.ppf(1 - ALPHA / 2, np.maximum(degrees, 1.0)) * errors, math.inf)


def _verdict(ratio: Ratio, p: float, threshold: float) -> Verdict:
    """Return the word: a change must be beyond chance among all rows, that there is none a row says for itself."""
    word = verdict(ratio, threshold=threshold)
    return "UNSURE" if word in ("FASTER", "SLOWER") and p >= ALPHA else word


def _drawn(own: Doubles, freedom: Doubles) -> tuple[Doubles, Doubles]:
    """Return the variance of every row, drawn towards that of all, and its degrees of freedom; 0 of what is unknown."""
    known = freedom > 0
    if not known.any():
        return own, freedom
    prior, prior_freedom = common_variance(own[known], freedom[known])
    total = freedom + prior_freedom
    variances = (prior_freedom * prior + freedom * own) / np.maximum(total, 1e-9)
    return np.where(known, variances, 0.0), np.where(known, np.minimum(total, freedom.sum()), 0.0)


def common_variance(variances: Doubles, degrees: Doubles) -> tuple[float, float]:
    """Return the variance that rows have in common, and how many degrees of freedom it is worth (Smyth 2004).

    Args:
        variances: of each row, above 0; shape (n,).
        degrees: of freedom of each; shape (n,).
    """
    half = degrees / 2
    logs = np.log(variances) - digamma(half) + np.log(half)
    if len(logs) < 3:
        return float(np.exp(logs.mean())), 0.0
    excess = float(np.var(logs, ddof=1) - polygamma(1, half).mean())
    if excess <= float(polygamma(1, _MOST_DEGREES / 2)):
        freedom = _MOST_DEGREES
    else:
        freedom = 2 * float(brentq(lambda x: float(polygamma(1, x)) - excess, 1e-6, _MOST_DEGREES / 2))
    return float(np.exp(logs.mean() + digamma(freedom / 2) - math.log(freedom / 2))), freedom


def speed_logs(own: Measurement, reference: Measurement | None) -> Logs:
    """Return the logarithm of the speed of every round, relative to the reference's in that round when there is one."""
    times = np.log(np.asarray(own.samples_s, dtype=np.float64) / own.items)
    if reference is None:
        return -times
    rounds = min(times.size, len(reference.samples_s))
    return np.log(np.asarray(reference.samples_s[:rounds]) / reference.items) - times[:rounds]


def process_logs(own: Measurement, reference: Measurement | None = None) -> list[Logs]:
    """Return `speed_logs` of each fresh process; of a single one where the reference's were others."""
    logs, parts = speed_logs(own, reference), own.processes
    alike = reference is None or reference.processes == parts
    return np.split(logs, np.cumsum(parts[:-1])) if alike and sum(parts) == logs.size else [logs]


def basis_of(reference: str, logs: Sequence[Sequence[Logs]]) -> str:
    """Return how a time of two runs is compared, e.g. `against onnxruntime-fp32, 3 and 4 processes`."""
    counts = " and ".join(str(len(run)) for run in logs)
    return (f"against {reference}" if reference else RAW) + (f", {counts} processes" if min(map(len, logs)) > 1 else "")


def medians(logs: Sequence[Logs]) -> list[float]:
    """Return the median of each process."""
    return [float(np.median(one)) for one in logs]


def ratio_of(reference: Measurement, own: Measurement) -> Ratio:
    """Return how many times faster than a reference of the same rounds; the interval is that of processes, if several.

    Raises:
        ValueError: there is no common round, or a time is not positive.
    """
    logs = process_logs(own, reference)
    if len(logs) < 2:
        return paired_ratio(reference.samples_s, own.samples_s)
    return judge_rows([medians(logs)])[0].ratio


def time_interval(found: Measurement) -> tuple[float, float]:
    """Return the 95 % interval of a party's time in seconds, that of processes where there were several."""
    logs = process_logs(found)
    if len(logs) < 2:
        return median_interval(found.samples_s)
    speed = judge_rows([medians(logs)])[0].ratio
    return found.items / speed.high, found.items / speed.low
