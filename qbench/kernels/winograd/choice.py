"""Where Winograd's products pay: counted in cycles of a dot instruction, from the shape alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.layout import CHANNEL_MULTIPLE, Layout
from qbench.kernels.tiles.emitter import NARROW
from qbench.kernels.tiles.products import product_of
from qbench.kernels.tiles.targets import TARGETS, Target
from qbench.kernels.winograd.cutting import cut
from qbench.kernels.winograd.fields import UNPACKED
from qbench.kernels.winograd.operation import block_tiles
from qbench.kernels.winograd.transforms import KERNEL, OUT, POSITIONS, fits

VARIANTS = tuple(target.name for target in TARGETS if target.lanes > NARROW)
"""Variants that have it: those whose 16-bit products are at least half as fast as bytes'."""
WORTH = 1.1
"""Estimated gain from which Winograd is taken."""
CODE_CYCLES, SUM_CYCLES, WEIGHT_CYCLES = 5.6, 11.6, 10.0
"""Cycles of transforms: of a tile's codes and sums a channel, of weights a pair of channels. Measured on Zen 4: each
vector that is stored on its way to the second-level cache takes some five, in a network up to ten."""


def admits(
    codes: npt.NDArray[np.integer], product: str, window: Window, lhs: Layout, out: Layout, params: ChannelParams,
    target: Target,
) -> bool:  # fmt: skip
    """Whether a convolution of bytes can be computed so, exactly.

    Args:
        codes: what the weights are, OHWI.
        product: of u8 or s8 codes by weights of any width.
        window: geometry.
        lhs: layout of the input.
        out: layout of the output.
        params: per-channel parameters.
        target: the instruction set.
    """
    plain = window.kernel == (KERNEL, KERNEL) and window.strides == (1, 1) == window.dilations
    facts = product_of(product, UNPACKED)
    whole = lhs.item_bytes == 1 and lhs.words % CHANNEL_MULTIPLE == 0 and lhs.words % (4 * facts.planes) == 0
    padded = lhs.words == codes.shape[-1] or not facts.has_table
    scaled = params.group_size or params.shift is not None
    large = min(out.height, out.width) >= OUT
    return target.name in VARIANTS and plain and whole and padded and not scaled and large and fits(codes)


def gain(channels: int, lhs: Layout, out: Layout, target: Target, *, rows_skipped: int = 0) -> float:
    """Return how many times faster than the direct convolution it is estimated to be.

    `rows_skipped` rows of an image's windows lie in padding and are not multiplied there (`conv.ranges`): of 7 x 7
    pixels two of 21, with which 16 images of 512 channels are 0.93 as fast by Winograd's products, not 1.1.
    Counted in instructions a k-group, of 4 bytes there and of 2 shorts here: one with a dot instruction; three for
    `pairs` of bytes; for widened ones two products, two additions and what widens them; for shorts two.
    """
    depth, lanes = lhs.words, target.lanes
    columns = -(-channels // lanes)
    image = cut(out)
    pixels, tiles = lhs.images * out.height * out.width, lhs.images * image.positions / POSITIONS
    direct, short = {"vnni": (1.0, 1.0), "pairs": (3.0, 2.0), "widen": (6.0, 2.0)}[target.dot]
    wide = 16 / lanes
    transforms = tiles * (CODE_CYCLES * depth + SUM_CYCLES * channels) * wide
    blocks = math.ceil(lhs.images * image.tiles / block_tiles(2 * POSITIONS * depth))
    transforms += blocks * WEIGHT_CYCLES * depth * channels * wide
    taps = KERNEL * (KERNEL - rows_skipped / out.height)
    before = pixels * taps * depth / 4 * columns * direct
    return before / (tiles * POSITIONS * depth / 2 * columns * short + transforms)


def least_images(channels: int, lhs: Layout, out: Layout, target: Target, *, rows_skipped: int = 0) -> int | None:
    """Return the fewest images a call, of those that the layouts hold, for which Winograd is worth it, or None."""
    sizes = (replace(lhs, images=images) for images in range(1, lhs.images + 1))
    gains = ((size.images, gain(channels, size, out, target, rows_skipped=rows_skipped)) for size in sizes)
    return next((images for images, times in gains if times >= WORTH), None)
