"""What is done to the pixels of the user's own images before a network sees them, in the same words everywhere.

`mean`, `std`, `resize` and `crop` are options of the command line, keys of a suite and arguments in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qbench.errors import DataError

KNOWN: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "-1 to 1": ((0.5,), (0.5,)),
    "0 to 1": ((0.0,), (1.0,)),
    "0 to 255": ((0.0,), (1 / 255,)),
    "Caffe": ((0.485, 0.456, 0.406), (1 / 255,)),
    "CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "CLIP": ((0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)),
    "MNIST": ((0.1307,), (0.3081,)),
}
"""Mean and std that public networks are trained with; one number counts for all channels."""
BY_COLOUR = "Caffe"
"""Of these the one whose means go with colours, whatever the order of the channels."""
WORDS = ("mean", "std", "resize", "crop")
SCALE = 255
LARGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Scaling, cutting and normalization of images; what is None is left to the data or to the network's own size.

    Args:
        mean: of each channel, on a scale of 0 to 1; None for 0.
        std: of each channel, on a scale of 0 to 1; None for 1.
        resize: pixels that the shorter side is scaled to, or height and width; None for what covers the cut.
        crop: side, or height and width, of the middle that is cut out; None for the network's own size. What is cut in
            another size than the network's is scaled to it.

    Raises:
        DataError: a mean or std that is not on a scale of 0 to 1, or a size that is none.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: tuple[int, ...] | None = None
    crop: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_scale("", self.mean or (), self.std or ())
        for word in ("resize", "crop"):
            sizes = getattr(self, word)
            if sizes is not None and (len(sizes) not in (1, 2) or not all(1 <= s <= LARGEST_SIDE for s in sizes)):
                got = ", ".join(f"{size:g}" for size in sizes)
                raise DataError(f"{word}: expected one number of pixels, or height and width, got {got or 'nothing'}")

    @classmethod
    def of(cls, mean: object = None, std: object = None, resize: object = None, crop: object = None) -> Preprocessing:
        """Return what numbers, or lists of numbers, say; raise DataError for anything else."""
        return cls(
            _numbers("mean", mean), _numbers("std", std), _sizes("resize", resize), _sizes("crop", crop),
        )  # fmt: skip

    def channels(self, word: str, count: int) -> tuple[float, ...] | None:
        """Return `mean` or `std` for so many channels: one number counts for all of them."""
        numbers: tuple[float, ...] | None = getattr(self, word)
        return numbers * count if numbers is not None and len(numbers) == 1 else numbers

    @property
    def given(self) -> tuple[str, ...]:
        """The words that were said."""
        return tuple(word for word in WORDS if getattr(self, word) is not None)


def check_scale(where: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Raise DataError for numbers that are not finite, stds that are not positive, and those on a scale of 255.

    Args:
        where: begins the message, e.g. `data 'mine.npz': `.
        mean: of each channel.
        std: of each channel.
    """
    if not np.isfinite([*mean, *std]).all() or min(std, default=1) <= 0:
        raise DataError(f"{where}expected finite means and positive stds, got {_text(mean)} and {_text(std)}")
    if max(map(abs, mean), default=0) <= 1 and max(std, default=0) <= 1:
        return
    parts = [(word, numbers) for word, numbers in (("mean", mean), ("std", std)) if numbers]
    got = " and ".join(f"{word} {_text(numbers)}" for word, numbers in parts)
    hint = " and ".join(f"{word} {_text([number / SCALE for number in numbers])}" for word, numbers in parts)
    raise DataError(f"{where}expected mean and std on a scale of 0 to 1, got {got}; divided by {SCALE}: {hint}")


def _numbers(word: str, said: object) -> tuple[float, ...] | None:
    """Return numbers as they are given from Python; raise DataError for what is none."""
    if said is None:
        return None
    try:
        found = np.atleast_1d(np.asarray(said, np.float64))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 1 or not found.size:
        raise DataError(f"{word}: expected a number, or one for each channel, got {said!r}")
    return tuple(found.tolist())


def _sizes(word: str, said: object) -> tuple[int, ...] | None:
    numbers = _numbers(word, said)
    if numbers is None:
        return None
    if not all(number.is_integer() for number in numbers):
        raise DataError(f"{word}: expected one whole number of pixels, or height and width, got {_text(numbers)}")
    return tuple(int(number) for number in numbers)


def _text(numbers: tuple[float, ...] | list[float]) -> str:
    return ",".join(f"{number:.4g}" for number in numbers) or "none"


AS_THEY_ARE = Preprocessing()
