"""The user's own data for one network: a known name, arrays in a file, or a folder of images, labelled or not.

Calibration samples are those that the data brings; data without any gives some of its own up for that, drawn by the
seed, and is evaluated on the rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError, suggest
from qbench.zoo.arrays import Arrays, Input
from qbench.zoo.dataset import Dataset, Images, Samples, image_keys
from qbench.zoo.own_file import Array, are_pictures, arrays_of, pictures_of, read_npy, read_npz
from qbench.zoo.own_images import find_images
from qbench.zoo.pixels import fitted, read_images, size_remarks
from qbench.zoo.preprocessing import AS_THEY_ARE, Preprocessing
from qbench.zoo.seeded import is_seeded, load_seeded

if TYPE_CHECKING:
    from qbench.graph import Network

DEFAULT_CALIBRATION = 512
_LOOKED_AT = 256
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the data to load, and in which shape.

    Args:
        inputs: of the network; images of a folder are scaled and cropped to the only one.
        calibration: number of calibration samples; None for 512, or a quarter of few samples; 0 for none.
        seed: draw of what is set apart for calibration, and of what is evaluated.
        limit: evaluate on at most this many samples; None for all.
        how: scaling, cutting and normalization of the user's own images.
    """

    inputs: tuple[Input, ...]
    calibration: int | None = None
    seed: int = 0
    limit: int | None = None
    how: Preprocessing = AS_THEY_ARE

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample of the first input."""
        return self.inputs[0].shape if self.inputs else ()


def inputs_of(network: Network) -> tuple[Input, ...]:
    """Return what a network takes, in its order."""
    return tuple(
        Input(name, tuple(network.shapes[name]), network.dtypes.get(name, "float32")) for name in network.inputs
    )


def load_own(source: str, wanted: Wanted) -> Samples:
    """Return the data of `source` with the calibration samples that are wanted among it.

    Args:
        source: a known name, the path of an `.npz` file, or of a folder of images or of arrays.
        wanted: which part of it, and for which inputs.

    Raises:
        DataError: there is no such data, it is damaged, or too little for calibration and evaluation.
    """
    from qbench.zoo import DATASETS, load_data

    path = Path(source)
    if is_seeded(source):
        return _set_apart(load_seeded(source, wanted.inputs), wanted)
    if source in DATASETS:
        if wanted.how.given:
            raise DataError(f"data '{source}': it has its own {wanted.how.given[0]}; give them only for your own data")
        found = load_data(source)
        if isinstance(found, Dataset):
            return _set_apart(found, wanted)
        if wanted.limit is not None:
            raise DataError(f"data '{source}': --limit works only with images, got {wanted.limit}")
        return found
    if os.path.isdir(path):
        files = {file.stem: file for file in sorted(path.glob("*.npy"))}
        return (
            _from_arrays(source, {name: read_npy(file) for name, file in files.items()}, wanted)
            if files
            else (_from_folder(path, wanted))
        )
    if path.suffix.lower() == ".npz":
        return _from_arrays(source, read_npz(path), wanted)
    raise DataError(_no_data(source, path, [*DATASETS]))


def checked_source(source: str) -> str:
    """Return what names data; raise DataError where it leads nowhere, before anything is made of it."""
    from qbench.zoo import DATASETS

    known = source in DATASETS or is_seeded(source)
    if not (known or os.path.isdir(source) or (source.lower().endswith(".npz") and os.path.isfile(source))):
        raise DataError(_no_data(source, Path(source), [*DATASETS]))
    return source


def calibration_count(available: int, wanted: int | None) -> int:
    """Return how many of `available` samples are set apart for calibration.

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


def _no_data(source: str, path: Path, known: list[str]) -> str:
    """Return what is wrong with a source that there is not: a path that leads nowhere, or a name nobody knows."""
    expected = "expected a known name, an .npz file or a folder of images"
    if os.path.isfile(path):
        return f"data '{source}': {expected}, got a file{f' of {path.suffix}' if path.suffix else ''}"
    if os.sep not in source and not path.suffix:
        return f"data '{source}': {expected}{suggest(source, known)}"
    parent = path.parent
    beside = [str(parent / child.name) for child in parent.iterdir()] if parent.is_dir() else []
    hint = suggest(str(path), beside) if beside else f"; there is no folder {parent}"
    return f"data '{source}': {expected}, found nothing there{hint if 'known:' not in hint else ''}"


def _draw(source: str, available: int, wanted: Wanted) -> tuple[Indices, Indices]:
    """Return which samples are for calibration and which for evaluation, both ascending."""
    try:
        count = calibration_count(available, wanted.calibration)
    except DataError as error:
        raise DataError(f"data '{source}': {error}") from None
    order = np.random.default_rng(wanted.seed).permutation(available)
    rest = order[count:] if wanted.limit is None else order[count : count + wanted.limit]
    return np.sort(order[:count]).astype(np.int64), np.sort(rest).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures as a network takes them: their size, and in which order and type it wants the numbers."""

    channels: int
    height: int
    width: int
    last: bool
    dtype: str


def _pictures(source: str, wanted: Wanted) -> _Pictures:
    """Return as what a network takes pictures; raise DataError when it does not."""
    if len(wanted.inputs) != 1 or len(wanted.shape) != 3 or min(wanted.shape) < 1:
        takes = ", ".join(one.text for one in wanted.inputs)
        raise DataError(f"{source}: expected a network that takes images (n, c, h, w) of fixed sizes, got {takes}")
    first, second, third = wanted.shape
    dtype, last = wanted.inputs[0].dtype, first not in (1, 3) and third in (1, 3)
    if np.dtype(dtype).kind != "f" and {"mean", "std"} & {*wanted.how.given}:
        raise DataError(f"{source}: the network takes pixels as they are ({dtype}): mean and std have no place")
    if np.dtype(dtype).kind == "b" or dtype == "int8":
        raise DataError(
            f"{source}: the network takes {dtype}, expected floats or bytes; give an .npz file of its input"
        )
    return _Pictures(*((third, first, second) if last else (first, second, third)), last, dtype)


def _from_folder(folder: Path, wanted: Wanted) -> Dataset:
    taken, files = _pictures(str(folder), wanted), find_images(folder)
    calibration, evaluation = _draw(str(folder), len(files.paths), wanted)
    images, apart = (
        read_images([files.paths[i] for i in part], shape=(taken.channels, taken.height, taken.width), how=wanted.how)
        for part in (evaluation, calibration)
    )
    labels = np.asarray(files.labels, np.int64)[evaluation] if files.labels else np.empty(0, np.int64)
    looked_at = [files.paths[index] for index in evaluation[:_LOOKED_AT]]
    remarks = (*files.remarks, *size_remarks(looked_at, size=(taken.width, taken.height)))
    mean, std = (wanted.how.channels(word, taken.channels) for word in ("mean", "std"))
    kept = _unseen(image_keys(images), image_keys(apart), source=str(folder))
    if not kept.all():
        images, labels = images[kept], labels[kept] if len(labels) else labels
    return Dataset(
        str(folder), images, labels, apart, files.classes,
        mean or (0.0,) * taken.channels, std or (1.0,) * taken.channels, taken.dtype, taken.last,
        mean is not None or std is not None, remarks,
    )  # fmt: skip


def _from_arrays(source: str, arrays: dict[str, Array], wanted: Wanted) -> Samples:
    """Return arrays by name as pictures, or as the network's inputs as they are."""
    if not are_pictures(arrays, wanted.inputs) and set(arrays) - {"labels", "classes"}:
        if wanted.how.given:
            raise DataError(
                f"{source}: {wanted.how.given[0]} is for images of bytes; these arrays are taken as they are"
            )
        return _set_apart(arrays_of(source, arrays, wanted.inputs), wanted)
    found, taken = pictures_of(source, arrays, how=wanted.how), _pictures(source, wanted)
    if found.images.shape[3] == taken.channels:
        size = (taken.width, taken.height)
        found = replace(
            found,
            images=_sized(found.images, size, wanted, source),
            calibration=_sized(found.calibration, size, wanted, source),
            dtype=taken.dtype,
            channels_last=taken.last,
        )
    return _set_apart(found, wanted)


def _sized(images: Images, size: tuple[int, int], wanted: Wanted, source: str) -> Images:
    """Return images scaled and cut where the user says how; else they must have the network's size already."""
    if not (wanted.how.resize or wanted.how.crop):
        return images
    return fitted(images, size=size, how=wanted.how, where=source)


def _set_apart(data: Dataset | Arrays, wanted: Wanted) -> Dataset | Arrays:
    """Return data with calibration samples: its own where it brings some, else a draw of its samples."""
    if not wanted.inputs or not wanted.inputs[0].takes(data.sample_shape):
        return data  # it cannot be used: the bench says so, with the network's name
    if len(data.calibration) or wanted.calibration == 0:
        order = np.random.default_rng(wanted.seed).permutation(len(data))[: wanted.limit]
        return data.parted(np.sort(order), None)
    chosen, rest = _draw(data.name, len(data), wanted)
    keys = data.keys()
    kept = _unseen([keys[index] for index in rest], [keys[index] for index in chosen], source=data.name)
    return data.parted(rest[kept], chosen)


def _unseen(samples: list[bytes], calibration: list[bytes], *, source: str) -> npt.NDArray[np.bool_]:
    """Return which samples are none of the calibration samples: a folder may hold one twice."""
    seen = set(calibration)
    kept = np.array([key not in seen for key in samples], dtype=np.bool_)
    if len(samples) and not kept.any():
        raise DataError(
            f"data '{source}': every evaluation image is also a calibration image; give at least one other image"
        )
    return kept
