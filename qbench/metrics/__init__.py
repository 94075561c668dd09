"""Scores: what a row of results says, each with a name, a unit, a direction and, where there is one, an interval.

Pure functions of arrays live here. No clock, no file, no plot: those are the runner's, results' and report's.
`METRICS` is the table of scores that any row may have, each a `MetricKind` that says what it is computed from; to add
one: a function, and one line. `TASKS` is the table of tasks: what a network's outputs are for, and which score counts;
to add one: one file, and one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qbench.core.trial import Metric
from qbench.errors import QBenchError, suggest
from qbench.metrics.bits import pack_bits, pack_scores, unpack_bits, unpack_scores
from qbench.metrics.kinds import MetricKind, Stage
from qbench.metrics.task import Answers, Scored, Scores, Task
from qbench.registry import Registry

TASKS = Registry(
    "qbench.tasks",
    {
        "top1": "qbench.metrics.classification:TOP1",
        "top5": "qbench.metrics.classification:TOP5",
        "cross_entropy": "qbench.metrics.classification:CROSS_ENTROPY",
        "fidelity": "qbench.metrics.fidelity:FIDELITY",
    },
)
METRICS = Registry(
    "qbench.metrics",
    {
        "worst_class_percent": "qbench.metrics.accuracy:WORST_CLASS_PERCENT",
        "mcnemar_p": "qbench.metrics.pair:MCNEMAR_P",
        "permutation_p": "qbench.metrics.pair:PERMUTATION_P",
        "kept_percent": "qbench.metrics.pair:KEPT_PERCENT",
        "right_to_wrong_samples": "qbench.metrics.pair:RIGHT_TO_WRONG",
        "wrong_to_right_samples": "qbench.metrics.pair:WRONG_TO_RIGHT",
        "keeps_99": "qbench.metrics.pair:KEEPS_99",
        "keeps_999": "qbench.metrics.pair:KEEPS_999",
        "agreement_percent": "qbench.metrics.logits:AGREEMENT_PERCENT",
        "logit_sqnr_db": "qbench.metrics.logits:LOGIT_SQNR_DB",
        "logit_kl_nats": "qbench.metrics.logits:LOGIT_KL_NATS",
        "weight_sqnr_db": "qbench.metrics.tensor:WEIGHT_SQNR_DB",
        "weight_bias_steps": "qbench.metrics.tensor:WEIGHT_BIAS_STEPS",
        "theoretical_bytes": "qbench.metrics.size:THEORETICAL_BYTES",
        "packed_bytes": "qbench.metrics.size:PACKED_BYTES",
        "resident_bytes": "qbench.metrics.size:RESIDENT_BYTES",
        "bits_per_weight": "qbench.metrics.size:BITS_PER_WEIGHT",
        "integer_share": "qbench.metrics.size:INTEGER_SHARE",
        "images_per_s": "qbench.metrics.speed:IMAGES_PER_S",
        "ceiling_share": "qbench.metrics.speed:CEILING_SHARE",
        "speedup": "qbench.metrics.speed:SPEEDUP",
    },
)

__all__ = [
    "METRICS",
    "TASKS",
    "Answers",
    "MetricKind",
    "Scored",
    "Scores",
    "Task",
    "find_kind",
    "kind",
    "kinds",
    "load_task",
    "measured",
    "pack_bits",
    "pack_scores",
    "task_of",
    "unpack_bits",
    "unpack_scores",
]


def load_task(name: str) -> Task:
    """Return the task `name`; raise QBenchError with a suggestion when unknown."""
    found = TASKS.load(name)
    if not isinstance(found, Task):
        raise TypeError(f"task '{name}': expected a Task, got {type(found).__name__}")
    return found


def task_of(name: str, *, labelled: bool) -> Task:
    """Return the task `name`, or without a name the one that suits the data: `top1` with labels, else `fidelity`."""
    return load_task(name or ("top1" if labelled else "fidelity"))


def kinds() -> dict[str, MetricKind]:
    """Return every kind of score by name: those of all tasks, then those of the table."""
    found = {one.name: one for name in TASKS for one in load_task(name).kinds}
    return found | {name: _of_table(name) for name in METRICS}


def kind(name: str) -> MetricKind:
    """Return the unit, direction and meaning of the metric `name`; raise QBenchError with a suggestion when unknown."""
    found = find_kind(name)
    if found is None:
        raise QBenchError(f"unknown metric '{name}'{suggest(name, kinds())}")
    return found


def find_kind(name: str) -> MetricKind | None:
    """Return the kind of the metric `name`, None when there is none of that name."""
    return _of_table(name) if name in METRICS else kinds().get(name)


def measured(stage: Stage, subject: Any) -> dict[str, Metric]:
    """Return every score of a stage that `subject` has, by name, in the order of the table.

    Args:
        stage: at which scores are computed now.
        subject: what they are computed from; see `Stage`.
    """
    return dict(_measured(stage, subject))


def _measured(stage: Stage, subject: Any) -> Iterator[tuple[str, Metric]]:
    for name in METRICS:
        found = _of_table(name)
        metric = found.measured(subject) if found.stage == stage else None
        if metric is not None:
            yield name, metric


def _of_table(name: str) -> MetricKind:
    found = METRICS.load(name)
    if not isinstance(found, MetricKind):
        raise TypeError(f"metric '{name}': expected a MetricKind, got {type(found).__name__}")
    return found
