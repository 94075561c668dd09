"""Which rows of a window lie in padding, and need not be multiplied where the code of zero is 0.

A row of a 7 x 7 output has one of three rows of a 3 x 3 window in the padding at the top or the bottom: 9.5 % of all
products. k-groups go row by row through a window, so that what is left is one range of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import Window
from qbench.kernels.layout import Layout
from qbench.kernels.tiles.targets import LEAST_CHAINS

Numbers = npt.NDArray[np.int64]
_FIXED_COST = 0.5
"""What a k-group of a tile costs beside its dot instructions, in them."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """The k-groups that each output pixel needs: `begin` and `end` of shape (pixels of one image,), of equal images.

    Both are multiples of `unit`, or all.
    """

    begin: Numbers
    end: Numbers
    unit: int
    images: int = 1

    def of_tiles(self, height: int) -> Numbers:
        """Return what the tile that begins at each pixel needs: begin + 2**32 * end, shape (pixels of all images,)."""
        begin, end = self._joined(height)
        found, pixels = begin | end << 32, len(self.begin)
        alike = self.images - (len(found) // pixels - 1)  # images whose tiles end in the same way
        return np.concatenate([np.tile(found[:pixels], alike), found[pixels:]])

    def height(self, heights: Iterable[int], vectors: int) -> int:
        """Return the height of tiles that has the least to multiply: tiles that end with a row of pixels skip more."""
        return min(heights, key=lambda height: (self._cost(height, vectors), -height))

    def _cost(self, height: int, vectors: int) -> float:
        begin, end = self._joined(height)
        pixels = len(begin)
        tiles = np.minimum(np.arange(0, pixels, height), max(0, pixels - height))
        return float((end - begin)[tiles].sum()) * (max(height * vectors, LEAST_CHAINS) + _FIXED_COST)

    def _joined(self, height: int) -> tuple[Numbers, Numbers]:
        """Return begin and end of tiles in as many images as one tile can touch: all others repeat the first."""
        images = min(self.images, 1 - (1 - height) // len(self.begin))
        first, last = np.tile(self.begin, images), np.tile(self.end, images)
        begin, end = first.copy(), last.copy()
        for i in range(1, min(height, len(begin))):
            np.minimum(begin[:-i], first[i:], out=begin[:-i])
            np.maximum(end[:-i], last[i:], out=end[:-i])
        return begin, end


def ranges_of(window: Window, lhs: Layout, out: Layout, *, k_groups: int, groups_a_tap: int) -> Ranges | None:
    """Return the ranges of a convolution, or None where nothing lies in padding.

    Args:
        window: geometry.
        lhs: layout of the input.
        out: layout of the output.
        k_groups: k-groups of the whole depth, those that pad it included.
        groups_a_tap: k-groups of one tap.
    """
    taps, row_groups = window.kernel[0], window.kernel[1] * groups_a_tap
    first = np.arange(out.height) * window.strides[0] - window.pads[0]
    inside = first[:, None] + np.arange(taps) * window.dilations[0]
    seen = (inside >= 0) & (inside < lhs.height)
    if np.all(seen):
        return None
    begin = np.argmax(seen, axis=1)
    end = taps - np.argmax(seen[:, ::-1], axis=1)
    blank = ~np.any(seen, axis=1)
    begin[blank], end[blank] = 0, 1  # a range of zeros: tiles multiply something
    ends = np.where(end == taps, k_groups, end * row_groups)
    starts, stops = (np.repeat(rows.astype(np.int64), out.width) for rows in (begin * row_groups, ends))
    return Ranges(starts, stops, row_groups, out.images)
