"""Depthwise convolutions as a way to compute jobs: channels one by one, without zeros between them."""

from __future__ import annotations

import numpy as np

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.way import Bound
from qbench.kernels.depthwise.operation import Depthwise
from qbench.kernels.product import U8_S8


class Channelwise:
    """A window of its own for every channel, u8 to u8."""

    algorithm: Algorithm = "direct"
    worth = 1.0

    def can_run(self, job: Job, weights: Weights) -> str | None:
        """Return why this cannot compute a job, or None."""
        words = job.epilogue.words
        if not job.groups == job.lhs.channels == len(weights.codes) or weights.codes.shape[-1] != 1:
            return "channels are not each in a group of their own"
        if job.product != U8_S8 or job.epilogue.kind != "u8":
            return f"channel by channel there is u8_s8 to u8 alone, not {job.product} to {job.epilogue.kind}"
        if words.residual or words.grouped or weights.sums or weights.params.group_size:
            return "channel by channel there are no residuals, groups of scales or sums of rows"
        return None

    def cost(self, job: Job) -> float:
        """Return estimated cycles: a k-group for each four taps of 16 channels."""
        kh, kw = job.window.kernel
        return job.lhs.images * job.out.height * job.out.width * kh * kw / 4 * -(-job.lhs.channels // 16)

    def bind(self, job: Job, weights: Weights, *, beside: Bound | None = None) -> Depthwise:
        """Join weights (channels, kh, kw, 1) to a job."""
        codes = np.asarray(weights.codes[..., 0], np.int8)
        return Depthwise(codes, job.window, job.lhs, job.out, weights.params, job.epilogue.words.floor, job.variant)
