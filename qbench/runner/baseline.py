"""The fp32 baseline, checked before any trial: a wrong baseline makes every drop wrong, so it stops the run."""

from __future__ import annotations

import math

import numpy as np

from qbench.core.tensor import Floats
from qbench.errors import ModelError
from qbench.metrics import accuracy
from qbench.metrics.tensor import sqnr_db
from qbench.runner.score import Answers

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
    right, right_ref = int(accuracy.correct(own, reference.labels).sum()), int(reference.correct.sum())
    if distance_db < SAME_SQNR_DB or abs(right - right_ref) > _SLACK_IMAGES:
        raise ModelError(
            f"fp32 baseline: expected qbench's graph to answer as onnxruntime does ({right_ref} of {len(own)} right), "
            f"got {right} right and logits {distance_db:.0f} dB apart"
        )


def check_declared(reference: Answers, metadata: dict[str, str], *, data: str, whole: bool) -> str:
    """Compare the accuracy of the independent runtime with the one that the model declares; return a remark.

    On the whole set of images that the declaration is about, both must be equal to within two images; on a part of it,
    the declared accuracy must lie in the 99.9 % interval of the one found.

    Args:
        reference: answers of the independent runtime.
        metadata: the model's own; `dataset` and `top1_percent` make a declaration.
        data: name of the evaluation data; a part of `cifar10` is named `cifar10-...`.
        whole: whether all images of `data` were used.

    Raises:
        ModelError: the declaration cannot be true.
    """
    if not reference.labelled:
        return f"the images of {data} carry no labels: rows are compared with fp32's answers only"
    declared, dataset = _declared_percent(metadata), metadata.get("dataset", "")
    if declared is None or not dataset or not (data == dataset or data.startswith(f"{dataset}-")):
        return f"the model declares no accuracy on {data}: the baseline was compared between two runtimes only"
    count, hits = len(reference.labels), int(reference.correct.sum())
    found = 100.0 * hits / count
    if whole and data == dataset:
        slack = 100.0 * _SLACK_IMAGES / count
        low, high = found - slack - 0.005, found + slack + 0.005
    else:
        low, high = (100.0 * bound for bound in accuracy.wilson(hits, count, confidence=_CONFIDENCE))
    if not low <= declared <= high:
        raise ModelError(
            f"fp32 baseline: the model declares {declared:.2f} % on {dataset}, expected {low:.2f} .. {high:.2f} % "
            f"from {hits} of {count} images of {data}"
        )
    return f"declared {declared:.2f} % on {dataset}, found {found:.2f} % on {count} images of {data}"


def _declared_percent(metadata: dict[str, str]) -> float | None:
    """Return the declared accuracy in percent; None without one."""
    text = metadata.get("top1_percent")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 100.0:
        raise ModelError(f"model metadata 'top1_percent': expected a number in 0 .. 100, got '{text}'")
    return value
