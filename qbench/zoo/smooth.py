"""Seeded images with the look of photographs to a network: a falling spectrum, edges of objects, colour.

They carry no labels. A photograph's power falls with the square of frequency, and so does theirs: value noise of
octaves, each twice as fine and half as strong, with a few filled ellipses and boxes for sharp edges.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qbench.errors import DataError
from qbench.zoo.dataset import Dataset, Images
from qbench.zoo.networks.numbers import Numbers, Reals

EVALUATED, CALIBRATION = 64, 64
_SHAPES = 6
SCALING = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's images."""


def smooth_images(count: int, *, size: int, seed: int) -> Images:
    """Return uint8 (count, size, size, 3), the same on every machine; size is a multiple of 32."""
    return np.stack([_image(Numbers(1_000_003 * seed + index), size) for index in range(count)])


def load_smooth(*, folder: Path | None = None, size: int) -> Dataset:
    """Return seeded images without labels, scaled as ImageNet's are."""
    if folder is not None:
        raise DataError(f"data 'smooth-{size}': it is made from a seed and takes no folder")
    images = smooth_images(EVALUATED + CALIBRATION, size=size, seed=7)
    none = np.empty(0, np.int64)
    return Dataset(f"smooth-{size}", images[:EVALUATED], none, images[EVALUATED:], (), *SCALING)


def load_224(*, folder: Path | None = None) -> Dataset:
    """Return 64 seeded images of 224 x 224 without labels, and 64 for calibration."""
    return load_smooth(folder=folder, size=224)


def load_32(*, folder: Path | None = None) -> Dataset:
    """Return 64 seeded images of 32 x 32 without labels, and 64 for calibration."""
    return load_smooth(folder=folder, size=32)


def _image(numbers: Numbers, size: int) -> Images:
    luminance = _octaves(numbers, size, channels=1) + 0.3 * _octaves(numbers, size, channels=3)
    for _ in range(_SHAPES):
        mask = _shape(numbers, size)
        colour = numbers.normal(3) * 1.2
        luminance += mask[..., None] * (colour + 0.5 * _octaves(numbers, size, channels=1))
    contrast, light = numbers.uniform(2, low=0.5, high=1.0)
    levels = 255.0 * (0.2 + 0.6 * light) + luminance * (48.0 * contrast)
    return np.asarray(np.rint(levels).clip(0, 255), dtype=np.uint8)


def _octaves(numbers: Numbers, size: int, *, channels: int) -> Reals:
    """Return smooth noise (size, size, channels) of a standard deviation near 1."""
    total = np.zeros((size, size, channels))
    cell, strength = size // 2, 1.0
    while cell >= 1:
        grid = numbers.normal(size // cell + 2, size // cell + 2, channels)
        total += strength * _stretched(grid, size, cell)
        cell, strength = cell // 2, strength / 2
    return total * 0.8


def _stretched(grid: Reals, size: int, cell: int) -> Reals:
    """Return grid points drawn out to `size` pixels, `cell` apart, linear between."""
    place = (np.arange(size) + 0.5) / cell
    index = place.astype(np.int64)
    share = (place - index)[:, None]
    rows = grid[index] * (1 - share[..., None]) + grid[index + 1] * share[..., None]
    return np.asarray(rows[:, index] * (1 - share) + rows[:, index + 1] * share)


def _shape(numbers: Numbers, size: int) -> Reals:
    """Return the mask of an ellipse or of a box."""
    x, y, half_width, half_height = numbers.uniform(4) * size
    across = (np.arange(size) - x) / (2 + half_width / 3)
    down = ((np.arange(size) - y) / (2 + half_height / 3))[:, None]
    if numbers.index(2):
        return np.asarray(across**2 + down**2 < 1, dtype=np.float64)
    return np.asarray((np.abs(across) < 1) & (np.abs(down) < 1), dtype=np.float64)
