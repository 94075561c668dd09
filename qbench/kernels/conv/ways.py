"""The ways to compute a convolution or a product, and which of them one takes: by exactness first, then by cost.

A way is a class with `can_run`, `cost` and `bind` (`conv.way`) in the folder of its kernels, and a line here.
"""

from __future__ import annotations

from dataclasses import replace

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.direct import Direct
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.way import Bound, ByImages, Way
from qbench.kernels.depthwise.way import Channelwise
from qbench.kernels.winograd.way import Winograd

WAYS: tuple[Way, ...] = (Channelwise(), Winograd(), Direct())
"""Those that are taken sooner first, where they can run and are worth it; the last takes what others leave."""


def bind_fastest(job: Job, weights: Weights, *, algorithm: Algorithm = "auto") -> Bound:
    """Return a job joined to its weights, computed in the way that is estimated to be the fastest.

    Args:
        job: what is asked.
        weights: codes and per-channel parameters.
        algorithm: `auto`; else only ways of that name, where one of them can run.

    Raises:
        ValueError: no way can compute the job exactly.
    """
    reasons = [(way, way.can_run(job, weights)) for way in WAYS]
    able = [way for way, reason in reasons if reason is None]
    if not able:
        raise ValueError(f"{job.product} {job.epilogue}: {'; '.join(reason for _, reason in reasons if reason)}")
    *sooner, last = [way for way in able if algorithm in ("auto", way.algorithm)] or able
    for way in sooner:
        least = least_images(way, last, job)
        if least == 1:
            return way.bind(job, weights)
        if least is not None:
            few = last.bind(job, weights)
            return ByImages(few, way.bind(job, weights, beside=few), least)
    return last.bind(job, weights)


def least_images(way: Way, other: Way, job: Job) -> int | None:
    """Return the fewest images per call, of those that the job's layouts hold, for which a way is worth it, or None."""
    for images in range(1, job.lhs.images + 1):
        size = replace(job, lhs=replace(job.lhs, images=images))
        if other.cost(size) / way.cost(size) >= way.worth:
            return images
    return None
