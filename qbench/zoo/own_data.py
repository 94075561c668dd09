"""The user's own data for one network: a known name, an `.npz` file, or a folder of images, labelled or not.

Calibration images are those that the data brings; data without any gives some of its own up for that, drawn by the
seed, and is evaluated on the rest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError
from qbench.zoo.dataset import Dataset, Images, Samples
from qbench.zoo.own_file import load_npz
from qbench.zoo.own_images import find_images, read_images

DEFAULT_CALIBRATION = 512
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the data to load, and in which shape.

    Args:
        shape: of the network's input, (c, h, w) for images; images of a folder are scaled and cropped to it.
        calibration: number of calibration images; None for 512, or a quarter of few images; 0 for none.
        seed: draw of what is set apart for calibration, and of what is evaluated.
        limit: evaluate on at most this many images; None for all.
        mean: per channel, for a folder of images, on a scale of 0 to 1; None for 0.
        std: per channel, for a folder of images; None for 1.
    """

    shape: tuple[int, ...]
    calibration: int | None = None
    seed: int = 0
    limit: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def load_own(source: str, wanted: Wanted) -> Samples:
    """Return the data of `source` with the calibration images that are wanted among it.

    Raises:
        DataError: there is no such data, it is damaged, or too little for calibration and evaluation.
    """
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, wanted)
    if wanted.mean is not None or wanted.std is not None:
        raise DataError(f"data '{source}': it has its own mean and std; give them only for a folder of images")
    if path.suffix.lower() == ".npz":
        return _set_apart(load_npz(path, labels_needed=False), wanted)
    from qbench.zoo import load_data

    found = load_data(source)
    if isinstance(found, Dataset):
        return _set_apart(found, wanted)
    if wanted.limit is not None:
        raise DataError(f"data '{source}': --limit works only with images, got {wanted.limit}")
    return found


def calibration_count(available: int, wanted: int | None) -> int:
    """Return how many of `available` images are set apart for calibration.

    Raises:
        DataError: none would be left to evaluate on.
    """
    count = min(DEFAULT_CALIBRATION, available // 4) if wanted is None else wanted
    if wanted is None and not count:
        raise DataError(f"expected at least 4 images, so that some can be set apart for calibration, got {available}")
    if count >= available:
        raise DataError(
            f"expected fewer than {available} calibration images, got {count}: some must be left to evaluate on"
        )
    return count


def _draw(source: str, available: int, wanted: Wanted) -> tuple[Indices, Indices]:
    """Return which images are for calibration and which for evaluation, both ascending."""
    try:
        count = calibration_count(available, wanted.calibration)
    except DataError as error:
        raise DataError(f"data '{source}': {error}") from None
    order = np.random.default_rng(wanted.seed).permutation(available)
    rest = order[count:] if wanted.limit is None else order[count : count + wanted.limit]
    return np.sort(order[:count]).astype(np.int64), np.sort(rest).astype(np.int64)


def _from_folder(folder: Path, wanted: Wanted) -> Dataset:
    if len(wanted.shape) != 3:
        raise DataError(
            f"{folder}: a folder holds images (c, h, w), but the network takes samples of shape {wanted.shape}"
        )
    files = find_images(folder)
    calibration, evaluation = _draw(str(folder), len(files.paths), wanted)
    images, apart = (
        read_images([files.paths[i] for i in part], shape=(wanted.shape[0], wanted.shape[1], wanted.shape[2]))
        for part in (evaluation, calibration)
    )
    labels = np.asarray(files.labels, np.int64)[evaluation] if files.labels else np.empty(0, np.int64)
    channels = wanted.shape[0]
    mean, std = wanted.mean or (0.0,) * channels, wanted.std or (1.0,) * channels
    kept = _unseen(images, apart, source=str(folder))
    labels = labels[kept] if len(labels) else labels
    return Dataset(str(folder), images[kept], labels, apart, files.classes, mean, std)


def _set_apart(data: Dataset, wanted: Wanted) -> Dataset:
    """Return data with calibration images: its own where it brings some, else a draw of its images."""
    if data.sample_shape != wanted.shape:
        return data  # it cannot be used: the bench says so, with the network's name
    if len(data.calibration) or wanted.calibration == 0:
        count = len(data.images)
        drawn = np.random.default_rng(wanted.seed).permutation(count)[: wanted.limit]
        rest, calibration = np.sort(drawn), data.calibration
    else:
        chosen, rest = _draw(data.name, len(data.images), wanted)
        calibration = data.images[chosen]
        rest = rest[_unseen(data.images[rest], calibration, source=data.name)]
    if len(rest) == len(data.images):
        images, labels = data.images, data.labels
    else:
        images, labels = data.images[rest], data.labels[rest] if data.labelled else data.labels
    return Dataset(data.name, images, labels, calibration, data.classes, data.mean, data.std)


def _unseen(images: Images, calibration: Images, *, source: str) -> npt.NDArray[np.bool_]:
    """Return which images are none of the calibration images: a folder may hold one twice."""
    seen = {hashlib.sha256(image.tobytes()).digest() for image in calibration}
    kept = np.array([hashlib.sha256(image.tobytes()).digest() not in seen for image in images], dtype=np.bool_)
    if len(images) and not kept.any():
        raise DataError(
            f"data '{source}': every evaluation image is also a calibration image; give at least one other image"
        )
    return kept
