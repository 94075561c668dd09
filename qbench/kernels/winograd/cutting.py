"""How an image is cut into tiles, and which codes and pixels each of them has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qbench.kernels.conv.reference import Window
from qbench.kernels.layout import Layout, Offsets
from qbench.kernels.winograd.transforms import KINDS, OUT, SIDE, Direction

SHORT = OUT - 1


@dataclass(frozen=True, slots=True)
class Cut:
    """The tiles of an image in each direction: the first pixel and the pixels of each."""

    down: tuple[tuple[int, int], ...]
    right: tuple[tuple[int, int], ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Tiles of each of `KINDS`."""
        return tuple(len(_of(self.down, down)) * len(_of(self.right, right)) for down, right in KINDS)

    @property
    def is_mixed(self) -> bool:
        """Whether there are tiles of several kinds."""
        return sum(count > 0 for count in self.counts) > 1

    @property
    def tiles(self) -> int:
        """All tiles."""
        return len(self.down) * len(self.right)

    @property
    def positions(self) -> int:
        """Products that are summed up over the depth: 36 for a tile of 4 x 4 pixels."""
        extra = SIDE - OUT
        return math.prod(sum(pixels + extra for _, pixels in parts) for parts in (self.down, self.right))


def cut(out: Layout) -> Cut:
    """Return the tiles of an image of `out`."""
    return Cut(_parts(out.height), _parts(out.width))


def _parts(length: int) -> tuple[tuple[int, int], ...]:
    """Return first pixel and pixels of every part: as few threes as leave whole fours.

    Of five pixels there are two fours: the last part begins early enough to end with the last one.
    """
    shorts = -length % OUT
    if shorts * SHORT > length:
        return tuple((min(first, length - OUT), OUT) for first in range(0, length, OUT))
    longs = (length - shorts * SHORT) // OUT
    pixels = [OUT] * longs + [SHORT] * shorts
    return tuple(zip(np.cumsum([0, *pixels[:-1]]).tolist(), pixels, strict=True))


def _of(parts: tuple[tuple[int, int], ...], direction: Direction) -> list[int]:
    """Return the first pixels of the parts that are of one kind."""
    return [first for first, pixels in parts if pixels == direction.out]


def windows_and_pixels(tiles: Cut, window: Window, lhs: Layout, out: Layout) -> tuple[Offsets, Offsets]:
    """Return each tile's first code's offset and its pixels' numbers, kind by kind, image by image."""
    size = (out.height, out.width)
    numbers = np.arange(lhs.images * out.height * out.width).reshape(lhs.images, *size)
    offsets = lhs.window_offsets(size, (1, 1), window.pads[:2])
    windows, pixels = [], []
    for down, right in KINDS:
        rows, columns = _of(tiles.down, down), _of(tiles.right, right)
        firsts = numbers[:, np.array(rows, np.int64)[:, None], np.array(columns, np.int64)]
        inner = np.arange(down.out)[:, None] * out.width + np.arange(right.out)
        windows.append(offsets[firsts.ravel()])
        pixels.append((firsts.reshape(-1, 1, 1) + inner).ravel())
    return np.concatenate(windows), np.concatenate(pixels)
