"""The user's own data: one `.npz` file.

| array | shape | |
|---|---|---|
| `images` | uint8 (n, h, w, c) | evaluation images |
| `labels` | whole numbers (n,) | a class index each |
| `calibration` | uint8 (m, h, w, c) | optional; without it only methods that need no activations run |
| `classes` | text (k,) | optional; 0, 1, 2 ... without it |
| `mean`, `std` | (c,) | optional, on a scale of 0 to 1; 0 and 1 without them, so that the network sees x / 255 |
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError
from qbench.zoo.dataset import Dataset

_KNOWN = ("images", "labels", "calibration", "classes", "mean", "std")
Array = npt.NDArray[np.generic]


def load_npz(path: Path, *, labels_needed: bool = True) -> Dataset:
    """Return the data of an `.npz` file; raise DataError when it is missing, damaged or incomplete.

    Args:
        path: the file.
        labels_needed: whether a file without `labels` is refused.
    """
    arrays = read_npz(path)
    unknown = sorted(set(arrays) - set(_KNOWN))
    needed = ("images", "labels") if labels_needed or "classes" in arrays else ("images",)
    missing = [key for key in needed if key not in arrays]
    if unknown or missing:
        raise DataError(f"{path}: expected arrays among {', '.join(_KNOWN)}; missing {missing}, unknown {unknown}")
    images, labels = arrays["images"], arrays.get("labels", np.empty(0, np.int64))
    if images.dtype != np.uint8 or images.ndim != 4:
        raise DataError(f"{path}: expected images as uint8 (n, h, w, c), got {images.dtype} {images.shape}")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"{path}: expected labels as whole numbers (n,), got {labels.dtype} {labels.shape}")
    count = int(labels.astype(np.int64).max(initial=-1)) + 1
    return Dataset(
        name=str(path), images=images.astype(np.uint8), labels=labels.astype(np.int64),
        calibration=_calibration(path, arrays, images.shape[1:]),
        classes=_classes(path, arrays) or tuple(map(str, range(count))),
        mean=_channels(path, arrays, "mean", default=(0.0,) * images.shape[3]),
        std=_channels(path, arrays, "std", default=(1.0,) * images.shape[3]),
    )  # fmt: skip


def read_npz(path: Path) -> dict[str, Array]:
    """Return all arrays of an `.npz` file, never unpickling; raise DataError when that fails."""
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream):  # np.load would take any single array too
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, NotImplementedError) as error:
        raise DataError(f"{path}: expected an .npz file of plain arrays, got a damaged or foreign one") from error


def _calibration(path: Path, arrays: dict[str, Array], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    found = arrays.get("calibration")
    if found is None:
        return np.empty((0, *shape), np.uint8)
    if found.dtype != np.uint8:
        raise DataError(f"{path}: expected calibration as uint8 (m, h, w, c), got {found.dtype} {found.shape}")
    return found.astype(np.uint8)


def _classes(path: Path, arrays: dict[str, Array]) -> tuple[str, ...]:
    found = arrays.get("classes")
    if found is None:
        return ()
    if found.dtype.kind != "U" or found.ndim != 1:
        raise DataError(f"{path}: expected classes as text (k,), got {found.dtype} {found.shape}")
    return tuple(str(name) for name in found)


def _channels(path: Path, arrays: dict[str, Array], key: str, *, default: tuple[float, ...]) -> tuple[float, ...]:
    found = arrays.get(key)
    if found is None:
        return default
    if found.dtype.kind not in "fiu" or found.ndim != 1:
        raise DataError(f"{path}: expected {key} as numbers (c,), got {found.dtype} {found.shape}")
    return tuple(found.astype(np.float64).tolist())
