"""The fp32 baseline, checked before any trial: a wrong baseline makes every drop wrong, so it stops the run."""

from __future__ import annotations

import math

import numpy as np

from qbench.core.tensor import Floats
from qbench.errors import ModelError
from qbench.metrics import Answers, Task, accuracy, means
from qbench.metrics.task import Each
from qbench.metrics.tensor import sqnr_db

SAME_SQNR_DB = 60.0
"""Two float32 runtimes that sum in different orders agree to about 120 dB; below this one of them is wrong."""
_SLACK_IMAGES = 2
_CONFIDENCE = 0.999


def check_runtimes(reference: Answers, own: Floats) -> None:
    """Compare qbench's own fp32 logits with those of the independent runtime.

    Raises:
        ModelError: they differ by more than float32 rounding, or by more than two images of accuracy.
    """
    distance_db = sqnr_db(reference.logits, own) if np.all(np.isfinite(own)) else -math.inf
    if not reference.labelled:
        if distance_db < SAME_SQNR_DB:
            raise ModelError(
                "fp32 baseline: expected qbench's graph to answer as onnxruntime does, "
                f"got logits {distance_db:.0f} dB apart"
            )
        return
    task = reference.task
    scores, scores_ref = (task.score(outputs, reference).each for outputs in (own, reference.logits))
    if task.binary:
        right, right_ref = int(scores.sum()), int(scores_ref.sum())
        apart, wanted, got = (
            abs(right - right_ref) > _SLACK_IMAGES,
            f"{right_ref} of {len(own)} right",
            f"{right} right",
        )
    else:
        apart, wanted, got = False, _value(task, scores_ref), _value(task, scores)
    if distance_db < SAME_SQNR_DB or apart:
        raise ModelError(
            f"fp32 baseline: expected qbench's graph to answer as onnxruntime does ({wanted}), "
            f"got {got} and logits {distance_db:.0f} dB apart"
        )


def check_declared(reference: Answers, metadata: dict[str, str], *, data: str, whole: bool) -> str:
    """Compare the score of the independent runtime with the one that the model declares; return a remark.

    On the whole set of images that the declaration is about, counts of right answers must be equal to within two
    images; on a part of it, or where scores are numbers, the declared one must lie in the 99.9 % interval of the found.

    Args:
        reference: answers of the independent runtime.
        metadata: the model's own; `dataset` and the name of the task's score (`top1_percent`) make a declaration.
        data: name of the evaluation data; a part of `cifar10` is named `cifar10-...`.
        whole: whether all images of `data` were used.

    Raises:
        ModelError: the declaration cannot be true.
    """
    task = reference.task
    if not reference.labelled:
        return f"the images of {data} carry no labels: rows are compared with fp32's answers only"
    declared, dataset = _declared(task, metadata), metadata.get("dataset", "")
    if declared is None or not dataset or not (data == dataset or data.startswith(f"{dataset}-")):
        return f"the model declares no {_noun(task)} on {data}: the baseline was compared between two runtimes only"
    each = reference.scores.each
    low, high = _bounds(task, each, whole=whole and data == dataset)
    found, unit = task.summary(each).value, task.primary.unit
    if not low <= declared <= high:
        source = f"{int(each.sum())} of {len(each)}" if task.binary else f"{len(each)}"
        raise ModelError(
            f"fp32 baseline: the model declares {declared:.2f} {unit} on {dataset}, expected {low:.2f} .. {high:.2f} "
            f"{unit} from {source} images of {data}"
        )
    return f"declared {declared:.2f} {unit} on {dataset}, found {found:.2f} {unit} on {len(each)} images of {data}"


def _noun(task: Task) -> str:
    return "accuracy" if task.name == "top1" else task.title


def _bounds(task: Task, each: Each, *, whole: bool) -> tuple[float, float]:
    """Return the declared scores that are believed."""
    if not task.binary:
        _, low, high = means.mean_interval(np.asarray(each, np.float64), confidence=_CONFIDENCE)
        return low, high
    hits, count = int(each.sum()), len(each)
    if whole:
        slack = 100.0 * _SLACK_IMAGES / count
        return 100.0 * hits / count - slack - 0.005, 100.0 * hits / count + slack + 0.005
    low, high = accuracy.wilson(hits, count, confidence=_CONFIDENCE)
    return 100.0 * low, 100.0 * high


def _value(task: Task, each: Each) -> str:
    return f"{task.title} {task.summary(each).value:.4g} {task.primary.unit}"


def _declared(task: Task, metadata: dict[str, str]) -> float | None:
    """Return the declared score, None without one; a share that is right lies in 0 .. 100 %."""
    name = task.primary.name
    text = metadata.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (task.binary and not 0.0 <= value <= 100.0):
        expected = "a number in 0 .. 100" if task.binary else "a number"
        raise ModelError(f"model metadata '{name}': expected {expected}, got '{text}'")
    return value
