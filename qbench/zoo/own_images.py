"""A folder of the user's own images.

| in the folder | meaning |
|---|---|
| one folder per class, images in each | labelled |
| images | not labelled |

Classes are numbered in the order of their names, or by their names where all of these are whole numbers. Images may
have any size: one that is not the network's is scaled until it covers it, and its middle is cut out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Images of a folder before any of them is opened.

    Args:
        paths: sorted within their class.
        labels: a class index for each, empty where nothing is known.
        classes: names of the classes, empty where nothing is known.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]


def find_images(folder: Path) -> ImageFiles:
    """Return the images of a folder.

    Raises:
        DataError: there is none, or some lie beside the folders of classes.
    """
    try:
        loose = _images_in(folder)
        classes = {child.name: _images_in(child) for child in sorted(folder.iterdir()) if child.is_dir()}
    except OSError as error:
        raise DataError(f"{folder}: expected a folder of images, got {error.strerror}") from error
    classes = {name: paths for name, paths in classes.items() if paths}
    if loose and classes:
        raise DataError(
            f"{folder}: expected images, or one folder per class, got {len(loose)} images beside {len(classes)}"
        )
    if not loose and not classes:
        raise DataError(f"{folder}: expected images ({', '.join(SUFFIXES)}) or folders of them, found none")
    if loose:
        return ImageFiles(tuple(loose), (), ())
    numbers = _class_numbers(folder, list(classes))
    names = {number: name for name, number in numbers.items()}
    labels = [numbers[name] for name, paths in classes.items() for _ in paths]
    paths = tuple(path for found in classes.values() for path in found)
    return ImageFiles(paths, tuple(labels), tuple(names.get(i, str(i)) for i in range(max(numbers.values()) + 1)))


def read_images(paths: list[Path], *, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return images as uint8 (n, h, w, c), cut to `shape` (c, h, w); raise DataError for one that cannot be read."""
    channels, height, width = shape
    if channels not in _MODES:
        raise DataError(f"a folder of images has 1 channel (grey) or 3 (colour), but the network takes {channels}")
    out = np.empty((len(paths), height, width, channels), np.uint8)
    for place, path in enumerate(paths):
        out[place] = _pixels(path, mode=_MODES[channels], size=(width, height)).reshape(height, width, channels)
    return out


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _class_numbers(folder: Path, names: list[str]) -> dict[str, int]:
    """Return the index of each class; whole numbers as names say it themselves."""
    if not all(name.isascii() and name.isdigit() for name in names):
        return {name: index for index, name in enumerate(names)}
    numbers = {name: int(name) for name in names}
    if len(set(numbers.values())) < len(names) or max(numbers.values()) > 100_000:
        raise DataError(f"{folder}: expected class folders named by different numbers up to 100,000, got {names[:5]}")
    return numbers


def _pixels(path: Path, *, mode: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                found = image.convert(mode)
                if found.size != size:
                    found = ImageOps.fit(found, size, Image.Resampling.BILINEAR)
                return np.asarray(found, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        line = " ".join(str(error).split())
        raise DataError(f"{path}: expected a whole image of reasonable size, got: {line}") from error
