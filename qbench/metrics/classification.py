"""Tasks whose outputs are a score per class: is the right class first, is it among the first five, how likely is it?"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from qbench.core.tensor import Floats
from qbench.metrics import accuracy
from qbench.metrics.bits import Bools
from qbench.metrics.kinds import MetricKind
from qbench.metrics.task import Answers, Scores, Task

TOP1_PERCENT = MetricKind("top1_percent", "%", "higher", "images whose first guess is right, Wilson's 95 % interval")
TOP1_DROP_POINTS = MetricKind(
    "top1_drop_points", "points", "lower", "top-1 of fp32 minus top-1, same images, paired bootstrap 95 % interval"
)
TOP5_PERCENT = MetricKind(
    "top5_percent", "%", "higher", "samples whose right class is among the first five guesses, Wilson's 95 % interval"
)
TOP5_DROP_POINTS = MetricKind(
    "top5_drop_points", "points", "lower", "top-5 of fp32 minus top-5, same samples, paired bootstrap 95 % interval"
)
CROSS_ENTROPY_NATS = MetricKind(
    "cross_entropy_nats", "nats", "lower", "mean of -log of the right class's softmax, bootstrap 95 % interval"
)
CROSS_ENTROPY_RISE_NATS = MetricKind(
    "cross_entropy_rise_nats", "nats", "lower", "cross entropy minus fp32's, same samples, bootstrap 95 % interval"
)

LARGEST_NATS = 87.0
"""An answer that is not finite, or certain of a wrong class, counts so much: -log of float32's smallest normal."""


def first_guess(outputs: Floats, answers: Answers) -> Scores:
    """Return whether each first guess of outputs (n, classes) is right."""
    return _right(accuracy.correct(outputs, answers.labels), answers)


def first_five(outputs: Floats, answers: Answers) -> Scores:
    """Return whether each right class is among the five best of outputs (n, classes)."""
    return _right(accuracy.among_best(outputs, answers.labels, count=5), answers)


def cross_entropy(outputs: Floats, answers: Answers) -> Scores:
    """Return -log softmax(outputs)[label] of each sample in nats, computed in float64, in 0 .. `LARGEST_NATS`."""
    with np.errstate(invalid="ignore"):  # an answer that is not finite is taken care of below
        likely = log_softmax(np.asarray(outputs, np.float64), axis=1)
    each = -likely[np.arange(len(likely)), answers.labels]
    return Scores(np.clip(np.nan_to_num(each, nan=LARGEST_NATS), 0.0, LARGEST_NATS))


def _right(right: Bools, answers: Answers) -> Scores:
    return Scores(right, {accuracy.WORST_CLASS_PERCENT.name: accuracy.worst_class(right, answers.labels)})


TOP1 = Task(
    "top1", "top-1", "share of samples whose first guess is right",
    TOP1_PERCENT, TOP1_DROP_POINTS, first_guess, binary=True,
)  # fmt: skip
TOP5 = Task(
    "top5", "top-5", "share of samples whose right class is among the first five guesses",
    TOP5_PERCENT, TOP5_DROP_POINTS, first_five, binary=True, least_outputs=6,
)  # fmt: skip
CROSS_ENTROPY = Task(
    "cross_entropy", "cross entropy", "how unlikely the right class is, on average: less is better",
    CROSS_ENTROPY_NATS, CROSS_ENTROPY_RISE_NATS, cross_entropy, matters=0.01,
)  # fmt: skip
