"""Convolutions and products as sums of products of codes: on tiles, or in plain loops; the way that takes any job."""

from __future__ import annotations

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv, bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.way import Bound
from qbench.kernels.tiles.emitter import WIDE
from qbench.kernels.variants import PORTABLE, dot_of, lanes_of

CYCLES = {"pairs": 3.0, "widen": 6.0}
"""Instructions for a k-group of bytes of one vector: one with a dot instruction, three for `pairs` of bytes; for
widened ones two products, two additions and what widens them."""


class Direct:
    """Tiles of `qbench.kernels.tiles` where the variant has them."""

    algorithm: Algorithm = "direct"
    worth = 1.0

    def can_run(self, job: Job, weights: Weights) -> str | None:
        """Return why this cannot compute a job, or None."""
        return None if job.groups == 1 else "channels in groups of their own are computed as dense ones"

    def cost(self, job: Job) -> float:
        """Return estimated cycles; rows of windows that lie in padding of zeros are not multiplied (`conv.ranges`)."""
        skipped = job.window.pads[0] + job.window.pads[2] if job.zero_padding else 0
        lanes = WIDE if job.variant == PORTABLE else lanes_of(job.variant)
        pixels, columns = job.lhs.images * job.out.height * job.out.width, -(-job.out.channels // lanes)
        taps = job.window.kernel[1] * (job.window.kernel[0] - skipped / job.out.height)
        return pixels * taps * job.lhs.words / 4 * columns * CYCLES.get(dot_of(job.variant), 1.0)

    def bind(self, job: Job, weights: Weights, *, beside: Bound | None = None) -> BoundConv:
        """Pack weights and join them to a job."""
        return bind(job, pack_weights(weights, job.product, job.variant), weights.params)
