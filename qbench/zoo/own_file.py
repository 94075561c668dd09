"""The user's own data in arrays: one `.npz` file, or a folder of `.npy` files of these names.

Pictures:

| array | shape | |
|---|---|---|
| `images` | uint8 (n, h, w, c) | evaluation images |
| `labels` | whole numbers (n,) | a class index each |
| `calibration` | uint8 (m, h, w, c) | images to choose ranges on |
| `classes` | text (k,) | optional; 0, 1, 2 ... without it |
| `mean`, `std` | (c,) | optional, on a scale of 0 to 1; 0 and 1 without them, so that the network sees x / 255 |

Anything else: an array (n, ...) under the name of every input, taken as it is; `inputs` or `images` will do where there
is one input. `labels` and `classes` as above; `calibration_NAME`, or `calibration` where there is one input.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError, suggest
from qbench.zoo.arrays import Arrays, Input, as_input
from qbench.zoo.dataset import Dataset
from qbench.zoo.preprocessing import AS_THEY_ARE, Preprocessing

_PICTURES = ("images", "labels", "calibration", "classes", "mean", "std")
_ONLY = ("inputs", "images")
"""What an only input may be called instead of its name."""
CALIBRATION_PREFIX = "calibration_"
Array = npt.NDArray[np.generic]


def load_npz(path: Path, *, labels_needed: bool = True, how: Preprocessing = AS_THEY_ARE) -> Dataset:
    """Return the pictures of an `.npz` file; raise DataError when it is missing, damaged or incomplete.

    Args:
        path: the file.
        labels_needed: whether a file without `labels` is refused.
        how: mean and std where the file holds none.
    """
    return pictures_of(str(path), read_npz(path), labels_needed=labels_needed, how=how)


def are_pictures(arrays: Mapping[str, Array], inputs: tuple[Input, ...]) -> bool:
    """Return whether arrays are images as bytes (n, h, w, c) for a network of one input that are not its input already.

    Args:
        arrays: by name.
        inputs: of the network.
    """
    found = arrays.get("images")
    if found is None or len(inputs) != 1 or inputs[0].name in set(arrays) - {"images"}:
        return False
    if found.dtype != np.uint8 or found.ndim != 4 or len(inputs[0].shape) != 3:
        return False
    return inputs[0].name != "images" or np.dtype(inputs[0].dtype).kind == "f" or not inputs[0].takes(found.shape[1:])


def pictures_of(
    where: str, arrays: Mapping[str, Array], *, labels_needed: bool = False, how: Preprocessing = AS_THEY_ARE
) -> Dataset:
    """Return images, labels and the rest of them as a `Dataset`; raise DataError as `load_npz`.

    Args:
        where: the file or folder, for messages.
        arrays: by name.
        labels_needed: whether `labels` must be among them.
        how: mean and std where there are none among the arrays.
    """
    unknown = sorted(set(arrays) - set(_PICTURES))
    needed = ("images", "labels") if labels_needed or "classes" in arrays else ("images",)
    missing = [key for key in needed if key not in arrays]
    if unknown or missing:
        raise DataError(f"{where}: expected arrays among {', '.join(_PICTURES)}; missing {missing}, unknown {unknown}")
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim != 4:
        raise DataError(f"{where}: expected images as uint8 (n, h, w, c), got {images.dtype} {images.shape}")
    labels, classes = _labels(where, arrays)
    channels = images.shape[3]
    mean, std = (_channels(where, arrays, word, said=how.channels(word, channels)) for word in ("mean", "std"))
    return Dataset(
        name=where, images=images.astype(np.uint8), labels=labels,
        calibration=_calibration(where, arrays, images.shape[1:]),
        classes=classes, mean=mean or (0.0,) * channels, std=std or (1.0,) * channels,
        scaled=mean is not None or std is not None,
    )  # fmt: skip


def arrays_of(where: str, arrays: Mapping[str, Array], inputs: tuple[Input, ...]) -> Arrays:
    """Return the array of every input, labels and calibration samples as `Arrays`.

    Args:
        where: the file or folder, for messages.
        arrays: by name.
        inputs: of the network.

    Raises:
        DataError: an input is missing, an array is of no input, or one has another shape or type than its input.
    """
    only = len(inputs) == 1
    names = {one.name: _name_of(one, arrays, only=only) for one in inputs}
    apart = {one.name: _name_of(one, arrays, only=only, prefix=CALIBRATION_PREFIX) for one in inputs}
    known = {*names.values(), *apart.values(), "labels", "classes"}
    unknown = sorted(set(arrays) - known)
    missing = [one.text for one in inputs if names[one.name] not in arrays]
    if missing or unknown:
        hint = suggest(unknown[0], sorted(known)) if unknown and not missing else ""
        got = ", ".join(f"'{name}' {array.shape} {array.dtype}" for name, array in arrays.items()) or "none"
        expected = ", ".join(one.text for one in inputs)
        raise DataError(f"{where}: expected arrays {expected}, and labels if there are any, got {got}{hint}")
    partly = [apart[one.name] for one in inputs if apart[one.name] not in arrays]
    if partly and len(partly) < len(inputs):
        raise DataError(f"{where}: expected calibration samples of every input or of none; {partly[0]} is missing")
    parts = {one.name: as_input(arrays[names[one.name]], one, where=where) for one in inputs}
    chosen = {
        one.name: parts[one.name][:0] if partly else as_input(arrays[apart[one.name]], one, where=where)
        for one in inputs
    }
    labels, classes = _labels(where, arrays)
    return Arrays(where, parts, labels, chosen, classes)


def _name_of(one: Input, arrays: Mapping[str, Array], *, only: bool, prefix: str = "") -> str:
    """Return under which name the array of an input lies, or should lie."""
    if prefix + one.name in arrays or not only:
        return prefix + one.name
    others = _ONLY if not prefix else (prefix.rstrip("_"),)
    return next((name for name in others if name in arrays), prefix + one.name)


def read_npz(path: Path) -> dict[str, Array]:
    """Return all arrays of an `.npz` file, never unpickling; raise DataError when that fails."""
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream):  # np.load would take any single array too
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return {key: _plain(archive[key]) for key in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # whatever readers of zip archives and of headers raise of damaged ones
        raise DataError(f"{path}: expected an .npz file of plain arrays, got a damaged or foreign one") from error


def read_npy(path: Path) -> Array:
    """Return the array of an `.npy` file, never unpickling; raise DataError when that fails."""
    try:
        return _plain(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # as above
        raise DataError(f"{path}: expected an .npy file of one plain array, got a damaged or foreign one") from error


def _plain(found: object) -> Array:
    """Return an array with its bytes in this machine's order; raise ValueError for anything else."""
    if not isinstance(found, np.ndarray) or found.dtype.hasobject:
        raise ValueError("expected an array")
    return found if found.dtype.isnative else found.astype(found.dtype.newbyteorder("="))


def _labels(where: str, arrays: Mapping[str, Array]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return labels and the names of their classes, both empty where there are no labels."""
    labels = arrays.get("labels", np.empty(0, np.int64))
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"{where}: expected labels as whole numbers (n,), got {labels.dtype} {labels.shape}")
    if labels.size and int(labels.max()) > _MOST_CLASSES:
        raise DataError(f"{where}: expected labels up to {_MOST_CLASSES:,}, got {labels.max()}")
    count = int(labels.max(initial=0)) + 1 if labels.size else 0
    return labels.astype(np.int64), _classes(where, arrays) or tuple(map(str, range(count)))


_MOST_CLASSES = 1_000_000


def _calibration(where: str, arrays: Mapping[str, Array], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    found = arrays.get("calibration")
    if found is None:
        return np.empty((0, *shape), np.uint8)
    if found.dtype != np.uint8:
        raise DataError(f"{where}: expected calibration as uint8 (m, h, w, c), got {found.dtype} {found.shape}")
    return found.astype(np.uint8)


def _classes(where: str, arrays: Mapping[str, Array]) -> tuple[str, ...]:
    found = arrays.get("classes")
    if found is None:
        return ()
    if found.dtype.kind != "U" or found.ndim != 1:
        raise DataError(f"{where}: expected classes as text (k,), got {found.dtype} {found.shape}")
    return tuple(str(name) for name in found)


def _channels(
    where: str, arrays: Mapping[str, Array], word: str, *, said: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    """Return what the file says of `word`, or what the user says, or None; raise DataError where both say something."""
    found = arrays.get(word)
    if found is None:
        return said
    if said is not None:
        raise DataError(f"{where}: it has its own {word}; give one only for data without")
    if found.dtype.kind not in "fiu" or found.ndim != 1:
        raise DataError(f"{where}: expected {word} as numbers (c,), got {found.dtype} {found.shape}")
    return tuple(found.astype(np.float64).tolist())
