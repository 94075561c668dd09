"""Noise in place of calibration samples: normal numbers as a network would take them, where nothing else is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.core.several import Inputs, Several
from qbench.errors import UnsuitableError
from qbench.zoo.arrays import Arrays
from qbench.zoo.dataset import Dataset, Samples

_PLAIN = (0.5, 0.25)
"""Mean and deviation of pixels, on a scale of 0 to 1, where nobody said what they are."""


def noise(data: Samples, count: int, *, seed: int) -> Inputs:
    """Return samples of normal numbers of the shape and type that the data gives a network.

    Pixels have the mean and the deviation that images are normalized by, cut off at black and white; other floats have
    mean 0 and deviation 1.

    Args:
        data: whose shapes and normalization are taken, and none of its samples.
        count: number of samples.
        seed: of the draw.

    Raises:
        UnsuitableError: an input takes whole numbers, such as ids of words: random ones mean nothing.
    """
    draw = np.random.default_rng(seed)
    if isinstance(data, Dataset):
        return _pixels(data, count, draw)
    if not isinstance(data, Arrays):
        raise UnsuitableError(f"data '{data.name}': expected images or floats to draw noise like, got ids")
    for name, part in data.parts.items():
        if part.dtype.kind != "f":
            raise UnsuitableError(
                f"data '{data.name}': expected floats to draw noise like, got {part.dtype} of '{name}'"
            )
    arrays = tuple(
        draw.standard_normal((count, *part.shape[1:]), np.float32).astype(part.dtype) for part in data.parts.values()
    )
    return arrays[0] if len(arrays) == 1 else Several(arrays)


def _pixels(data: Dataset, count: int, draw: np.random.Generator) -> npt.NDArray[np.generic]:
    mean, std = (np.asarray(part, np.float32) for part in ((data.mean, data.std) if data.scaled else _PLAIN))
    images = np.empty((count, *data.images.shape[1:]), np.uint8)
    for image in images:  # one at a time: no floats of all of them
        image[:] = np.clip(np.rint(255 * (mean + std * draw.standard_normal(image.shape, np.float32))), 0, 255)
    return replace(data, images=images, labels=data.labels[:0], calibration=images[:0], classes=()).inputs()
