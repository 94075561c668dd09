"""Labelled images for evaluation and unlabelled ones for calibration, checked once, normalized on demand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from qbench.core.several import Inputs
from qbench.errors import DataError
from qbench.zoo.preprocessing import check_scale

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Samples(Protocol):
    """What is evaluated and calibrated on: images here, documents in `qbench.zoo.text.documents`."""

    @property
    def name(self) -> str:
        """For messages and tables."""
        ...

    @property
    def labels(self) -> Labels:
        """An index into `classes` each; empty where nothing is known of the samples."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of all of it."""
        ...

    def __len__(self) -> int:
        """Return the number of evaluation samples."""
        ...

    @property
    def labelled(self) -> bool:
        """Whether it is known what the samples show."""
        ...

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample as a network takes it: (c, h, w) of images."""
        ...

    @property
    def calibration(self) -> npt.NDArray[Any]:
        """Samples for calibration; none of them is evaluated."""
        ...

    def inputs(self, start: int = 0, stop: int | None = None) -> Inputs:
        """Return evaluation samples `start` to `stop` as a network takes them."""
        ...

    def calibration_indices(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Return which calibration samples a draw takes."""
        ...

    def calibration_inputs(self, count: int, seed: int) -> Inputs:
        """Return the calibration samples of that draw as a network takes them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images as they were taken: uint8 (n, h, w, c).

    Args:
        name: for messages and tables.
        images: evaluation images.
        labels: int64 (n,), an index into `classes` each; (0,) with no classes where nothing is known of the images.
        calibration: (m, h, w, c); m is 0 where there are none. None of them may be an evaluation image.
        classes: names of the classes.
        mean: of each channel, on a scale of 0 to 1.
        std: of each channel, on a scale of 0 to 1.
        dtype: what the network takes: floats are normalized pixels, whole numbers the pixels as they are.
        channels_last: whether the network takes (n, h, w, c), not (n, c, h, w).
        scaled: whether mean and std were given by anybody; where they were not, they are 0 and 1.
        remarks: what its reader has to say of it, a line each.
        sha256: of all of it, derived.

    Raises:
        DataError: on construction, when anything does not fit together.
    """

    name: str
    images: Images
    labels: Labels
    calibration: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: str = "float32"
    channels_last: bool = False
    scaled: bool = True
    remarks: tuple[str, ...] = ()
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Check everything, then fix the hash."""
        _check_images(self.name, "images", self.images)
        labels_checked(self.name, self.labels, count=len(self.images), classes=len(self.classes))
        _check_images(self.name, "calibration", self.calibration, like=self.images)
        _check_scaling(self.name, self.mean, self.std, channels=self.images.shape[3])
        _check_apart(self.name, self.images, self.calibration)
        digest = hashlib.sha256(content_sha256(self.images, self.labels).encode())
        digest.update(np.ascontiguousarray(self.calibration).tobytes())
        facts: tuple[object, ...] = (self.images.shape, self.calibration.shape, self.mean, self.std)
        if (self.dtype, self.channels_last) != ("float32", False):
            facts += (self.dtype, self.channels_last)
        digest.update(repr(facts).encode())
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        """Return the number of evaluation images."""
        return len(self.images)

    @property
    def labelled(self) -> bool:
        """Whether it is known what the images show."""
        return bool(self.classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one image as a network takes it: (c, h, w), or (h, w, c)."""
        height, width, channels = self.images.shape[1:]
        return (height, width, channels) if self.channels_last else (channels, height, width)

    def inputs(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Return evaluation images `start` to `stop` as a network takes them: mostly float32 (n, c, h, w)."""
        return self._taken(self.images[start:stop])

    def calibration_indices(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Return which calibration images a draw of `count` without repetition takes, ascending; int64 (count,)."""
        return drawn(self.name, len(self.calibration), count=count, seed=seed)

    def calibration_inputs(self, count: int, seed: int) -> npt.NDArray[Any]:
        """Return the calibration images of that draw as a network takes them."""
        return self._taken(self.calibration[self.calibration_indices(count, seed)])

    def keys(self) -> list[bytes]:
        """Return a hash of every evaluation image."""
        return image_keys(self.images)

    def parted(self, rest: npt.NDArray[np.int64], apart: npt.NDArray[np.int64] | None) -> Self:
        """Return the data with the images of `rest` to evaluate, and those of `apart`, if given, to calibrate on."""
        if apart is None and len(rest) == len(self):
            return self
        return replace(
            self,
            images=self.images[rest],
            labels=self.labels[rest] if self.labelled else self.labels,
            calibration=self.calibration if apart is None else self.images[apart],
        )

    def _taken(self, images: Images) -> npt.NDArray[Any]:
        return as_taken(images, self.mean, self.std, dtype=self.dtype, channels_last=self.channels_last)


def as_taken(
    images: Images, mean: tuple[float, ...], std: tuple[float, ...], *, dtype: str, channels_last: bool
) -> npt.NDArray[Any]:
    """Return images (n, h, w, c) as a network takes them.

    Args:
        images: bytes.
        mean: of each channel, on a scale of 0 to 1.
        std: of each channel, on a scale of 0 to 1.
        dtype: floats are normalized pixels, whole numbers the pixels as they are.
        channels_last: whether (n, h, w, c) is taken, not (n, c, h, w).
    """
    kind = np.dtype(dtype)
    if kind.kind == "f":
        first = normalized(images, mean, std).astype(kind, copy=False)
    else:
        first = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(kind, copy=False)
    return np.ascontiguousarray(first.transpose(0, 2, 3, 1)) if channels_last else first


def drawn(name: str, available: int, *, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which of `available` samples a draw without repetition takes, ascending; raise DataError for too many."""
    if not 0 < count <= available:
        raise DataError(f"data '{name}': expected 1..{available} calibration samples, got {count}")
    found = np.random.default_rng(seed).choice(available, size=count, replace=False)
    return np.sort(found).astype(np.int64)


def image_keys(images: Images) -> list[bytes]:
    """Return a hash of every image."""
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def normalized(images: Images, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """Return (x / 255 - mean) / std of images (n, h, w, c) as float32 (n, c, h, w), rounded once.

    It goes through a table of 256 float32 numbers per channel.
    """
    levels = np.arange(256)[:, None] / 255.0
    table = ((levels - np.asarray(mean)) / np.asarray(std)).astype(np.float32)
    n, height, width, channels = images.shape
    out = np.empty((n, channels, height, width), np.float32)
    for channel in range(channels):
        np.take(table[:, channel], images[..., channel], out=out[:, channel])
    return out


def content_sha256(images: Images, labels: Labels) -> str:
    """Return the hash of the pixels followed by the labels as little-endian int64."""
    digest = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    digest.update(np.ascontiguousarray(labels).astype("<i8").tobytes())
    return digest.hexdigest()


def _check_images(name: str, what: str, images: Images, *, like: Images | None = None) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise DataError(f"data '{name}': expected {what} as uint8 (n, h, w, c), got {images.dtype} {images.shape}")
    if like is None and not len(images):
        raise DataError(f"data '{name}': expected at least one image, got none")
    if like is not None and images.shape[1:] != like.shape[1:]:
        raise DataError(
            f"data '{name}': expected {what} of shape {like.shape[1:]} as the images, got {images.shape[1:]}"
        )


def labels_checked(name: str, labels: Labels, *, count: int, classes: int) -> None:
    """Raise DataError unless there is a label for each of `count` samples, or none and no class."""
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(f"data '{name}': expected labels as int64 (n,), got {labels.dtype} {labels.shape}")
    if not classes and not len(labels):
        return
    if len(labels) != count:
        raise DataError(f"data '{name}': expected {count} labels, one per image, got {len(labels)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"data '{name}': expected labels in 0..{classes - 1}, got {labels.min()}..{labels.max()}")


def _check_scaling(name: str, mean: tuple[float, ...], std: tuple[float, ...], *, channels: int) -> None:
    if len(mean) != channels or len(std) != channels:
        raise DataError(f"data '{name}': expected mean and std of {channels} channels, got {len(mean)} and {len(std)}")
    check_scale(f"data '{name}': ", mean, std)


def _check_apart(name: str, images: Images, calibration: Images) -> None:
    """Raise DataError when a calibration image is an evaluation image too: its accuracy would flatter."""
    seen = set(image_keys(images))
    shared = sum(key in seen for key in image_keys(calibration))
    if shared:
        raise DataError(f"data '{name}': {shared} of {len(calibration)} calibration images are evaluation images too")
