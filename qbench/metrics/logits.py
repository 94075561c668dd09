"""How far the network's outputs moved from fp32's, image by image: finer than accuracy, and needs no labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from qbench.core.trial import Metric
from qbench.metrics.accuracy import wilson
from qbench.metrics.kinds import MetricKind
from qbench.metrics.task import Scored
from qbench.metrics.tensor import sqnr_db


def agreement(logits_ref: npt.ArrayLike, logits: npt.ArrayLike) -> Metric:
    """Return the percent of rows whose first guess is the same, with Wilson's interval; both (n, classes)."""
    ref, new = _pair(logits_ref, logits)
    if not len(ref):
        return AGREEMENT_PERCENT.of(None)
    same = int(np.sum(np.argmax(ref, axis=1) == np.argmax(new, axis=1)))
    low, high = wilson(same, len(ref))
    return AGREEMENT_PERCENT.of(100.0 * same / len(ref), low=100.0 * low, high=100.0 * high)


def logit_sqnr(logits_ref: npt.ArrayLike, logits: npt.ArrayLike) -> Metric:
    """Return the SQNR of all logits together in dB; value None when they are equal (infinite) or the signal is 0."""
    value = sqnr_db(*_pair(logits_ref, logits))
    return LOGIT_SQNR_DB.of(value if np.isfinite(value) else None)


def logit_kl(logits_ref: npt.ArrayLike, logits: npt.ArrayLike) -> Metric:
    """Return the mean over images of KL(softmax(reference) || softmax(logits)) in nats, computed in float64."""
    ref, new = _pair(logits_ref, logits)
    if not len(ref):
        return LOGIT_KL_NATS.of(None)
    log_ref, log_new = log_softmax(ref, axis=1), log_softmax(new, axis=1)
    each = np.sum(np.exp(log_ref) * (log_ref - log_new), axis=1)
    return LOGIT_KL_NATS.of(max(0.0, float(np.mean(each))))


def _pair(ref: npt.ArrayLike, new: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    first, second = np.asarray(ref, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"expected two (n, classes) arrays, got shapes {first.shape} and {second.shape}")
    return first, second


def _of_classes(measure: Callable[[npt.ArrayLike, npt.ArrayLike], Metric]) -> Callable[[Scored], Metric | None]:
    """Return a score of outputs that only means something where they are a score per class."""

    def of(scored: Scored) -> Metric | None:
        if scored.answers.task.outputs != "classes":
            return None
        return measure(scored.answers.logits, scored.outputs)

    return of


AGREEMENT_PERCENT = MetricKind(
    "agreement_percent", "%", "higher", "images on which the first guess equals fp32's",
    "outputs", _of_classes(agreement),
)  # fmt: skip
LOGIT_SQNR_DB = MetricKind(
    "logit_sqnr_db", "dB", "higher", "power of fp32's logits over the power of their error",
    "outputs", lambda scored: logit_sqnr(scored.answers.logits, scored.outputs),
)  # fmt: skip
LOGIT_KL_NATS = MetricKind(
    "logit_kl_nats", "nats", "lower", "mean KL divergence of the softmax from fp32's softmax",
    "outputs", _of_classes(logit_kl),
)  # fmt: skip
