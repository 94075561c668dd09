"""How far the network's outputs moved from fp32's, image by image: finer than accuracy, and needs no labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from qbench.core.trial import Metric
from qbench.metrics.accuracy import wilson
from qbench.metrics.kinds import MetricKind
from qbench.metrics.means import mean_interval
from qbench.metrics.task import Scored
from qbench.metrics.tensor import sqnr_db

Doubles = npt.NDArray[np.float64]


def agreement(logits_ref: npt.ArrayLike, logits: npt.ArrayLike, *, shape: tuple[int, ...] = ()) -> Metric:
    """Return the percent of first guesses that are the same; both (n, m), m > 1 numbers for each sample.

    Of vectors it is the share of samples, with Wilson's interval. Of tokens or pixels each has a guess, and it is the
    mean of every sample's share, with the bootstrap's.

    Args:
        logits_ref: fp32's.
        logits: the others.
        shape: of an answer, where it is no vector: (tokens, classes), (classes, height, width).
    """
    ref, new = _pair(logits_ref, logits)
    if not len(ref):
        return AGREEMENT_PERCENT.of(None)
    if _is_vector(shape):
        same = int(np.sum(np.argmax(ref, axis=1) == np.argmax(new, axis=1)))
        low, high = wilson(same, len(ref))
        return AGREEMENT_PERCENT.of(100.0 * same / len(ref), low=100.0 * low, high=100.0 * high)
    pairs = zip(_places(ref, shape), _places(new, shape), strict=True)
    shares = [float(np.mean(np.argmax(one, axis=1) == np.argmax(other, axis=1))) for one, other in pairs]
    share, low, high = mean_interval(np.array(shares))
    return AGREEMENT_PERCENT.of(100.0 * share, low=100.0 * low, high=100.0 * high)


def logit_sqnr(logits_ref: npt.ArrayLike, logits: npt.ArrayLike) -> Metric:
    """Return the SQNR of all logits together in dB; value None when they are equal (infinite) or the signal is 0."""
    value = sqnr_db(*_pair(logits_ref, logits))
    return LOGIT_SQNR_DB.of(value if np.isfinite(value) else None)


def logit_kl(logits_ref: npt.ArrayLike, logits: npt.ArrayLike, *, shape: tuple[int, ...] = ()) -> Metric:
    """Return the mean over samples of KL(softmax(reference) || softmax(logits)) in nats, computed in float64.

    Of tokens or pixels (`shape` as in `agreement`) a sample's is the mean of all of them.
    """
    ref, new = _pair(logits_ref, logits)
    if not len(ref):
        return LOGIT_KL_NATS.of(None)
    if _is_vector(shape):
        mean = np.mean(_kl(ref, new))
    else:
        pairs = zip(_places(ref, shape), _places(new, shape), strict=True)
        mean = np.mean([np.mean(_kl(one, other)) for one, other in pairs])
    return LOGIT_KL_NATS.of(max(0.0, float(mean)))


def class_axis(shape: tuple[int, ...]) -> int | None:
    """Return the axis of an answer on which its classes lie, None where it tells fewer than two apart.

    The last one of (tokens, classes), else the first: (classes,), (classes, height, width). An image of one channel, or
    a single number, has no classes.
    """
    axis = 1 if len(shape) == 2 else 0
    return axis if shape and shape[axis] > 1 else None


def _is_vector(shape: tuple[int, ...]) -> bool:
    """Whether an answer is one vector of classes: of any shape whose other axes are 1."""
    axis = class_axis(shape)
    return not shape or (axis is not None and math.prod(shape) == shape[axis])


def _places(answers: Doubles, shape: tuple[int, ...]) -> Iterator[Doubles]:
    """Yield each sample's numbers as (tokens or pixels, classes)."""
    axis = class_axis(shape)
    assert axis is not None
    for answer in answers:
        yield np.moveaxis(answer.reshape(shape), axis, -1).reshape(-1, shape[axis])


def _kl(ref: Doubles, new: Doubles) -> Doubles:
    """Return KL(softmax(ref) || softmax(new)) of each line."""
    log_ref, log_new = log_softmax(ref, axis=1), log_softmax(new, axis=1)
    each: Doubles = np.sum(np.exp(log_ref) * (log_ref - log_new), axis=1)
    return each


def _pair(ref: npt.ArrayLike, new: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    first, second = np.asarray(ref, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"expected two (n, classes) arrays, got shapes {first.shape} and {second.shape}")
    return first, second


def _of_classes(measure: Callable[..., Metric]) -> Callable[[Scored], Metric | None]:
    """Return a score of outputs that only means something where they are a score per class."""

    def of(scored: Scored) -> Metric | None:
        answers, shape = scored.answers, scored.answers.shape
        if answers.task.outputs != "classes" or class_axis(shape) is None:
            return None
        return measure(answers.logits, scored.outputs, shape=shape)

    return of


AGREEMENT_PERCENT = MetricKind(
    "agreement_percent", "%", "higher", "first guesses equal to fp32's: of samples, or of each one's tokens or pixels",
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
