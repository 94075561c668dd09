"""Where Winograd's products pay: counted in cycles of a dot instruction, from the shape alone."""

from __future__ import annotations

import math

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv
from qbench.kernels.conv.way import Bound
from qbench.kernels.layout import CHANNEL_MULTIPLE
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import TARGETS, target_of
from qbench.kernels.variants import dot_of
from qbench.kernels.winograd.cutting import cut
from qbench.kernels.winograd.fields import UNPACKED
from qbench.kernels.winograd.operation import BoundWinograd, bind_winograd, block_tiles, panels
from qbench.kernels.winograd.transforms import KERNEL, OUT, POSITIONS, fits

CYCLES = {"vnni": 1.0, "pairs": 2.0, "widen": 2.0}
"""Instructions for a k-group of 2 shorts, by dot instruction: those whose 16-bit products are at least half as fast as
bytes'. Others do not have it."""
VARIANTS = tuple(target.name for target in TARGETS if target.dot in CYCLES)
"""Variants that have it."""
CODE_CYCLES, SUM_CYCLES, WEIGHT_CYCLES = 5.6, 11.6, 10.0
"""Cycles of transforms: of a tile's codes and sums per channel, of weights per pair of channels. Measured on Zen 4:
each vector that is stored on its way to the second-level cache takes some five, in a network up to ten."""


class Winograd:
    """3 x 3 windows by a quarter of the products."""

    algorithm: Algorithm = "winograd"
    worth = 1.1
    """Of 7 x 7 pixels two rows of 21 lie in padding, which the direct convolution skips: with them 16 images of 512
    channels are 0.93 as fast by Winograd's products, not 1.1."""

    def can_run(self, job: Job, weights: Weights) -> str | None:
        """Return why this cannot compute a job exactly, or None."""
        lhs, out, product = job.lhs, job.out, job.product
        if job.variant not in VARIANTS:
            return f"{job.variant} has no fast products of 16 bits"
        if product.is_words or product.is_float or job.groups > 1:
            return "only bytes are transformed, all channels together"
        if job.window.kernel != (KERNEL, KERNEL) or not job.window.strides == (1, 1) == job.window.dilations:
            return "windows are not 3 x 3 at single steps"
        unit = math.lcm(CHANNEL_MULTIPLE, 4 * multiplier_of(product, UNPACKED).planes)
        if lhs.item_bytes != 1 or lhs.words % unit:
            return f"{lhs.words} channels are no whole vectors or sets of packed weights"
        if lhs.words != weights.codes.shape[-1] and product.has_table:
            return "channels are padded, which tables need not have a code for"
        if weights.params.group_size or weights.sums:
            return "groups of scales and sums of rows are of codes as they are"
        if min(out.height, out.width) < OUT:
            return f"fewer than {OUT} x {OUT} pixels"
        return None if fits(weights.meant) else "weights are so large that sums could overflow"

    def cost(self, job: Job) -> float:
        """Return estimated cycles: those of products, and of transforms."""
        target, lhs = target_of(job.variant), job.lhs
        depth, channels = lhs.words, job.out.channels
        image, wide = cut(job.out), 16 / target.lanes
        tiles = lhs.images * image.positions / POSITIONS
        transforms = tiles * (CODE_CYCLES * depth + SUM_CYCLES * channels) * wide
        blocks = math.ceil(lhs.images * image.tiles / block_tiles(2 * POSITIONS * depth))
        transforms += blocks * WEIGHT_CYCLES * depth * channels * wide
        return tiles * POSITIONS * depth / 2 * -(-channels // target.lanes) * CYCLES[target.dot] + transforms

    def bind(self, job: Job, weights: Weights, *, beside: Bound | None = None) -> BoundWinograd:
        """Join weights to a job; those of a direct convolution are shared where panels and depths are alike."""
        packed = None
        if isinstance(beside, BoundConv) and dot_of(job.variant) == UNPACKED:
            alike = beside.shape == panels(len(weights.codes), job.variant)
            packed = beside.weights if alike and job.lhs.words == weights.codes.shape[-1] else None
        return bind_winograd(job, weights, packed)
