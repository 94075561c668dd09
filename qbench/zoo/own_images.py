"""A folder of the user's own images.

| in the folder | meaning |
|---|---|
| one folder per class, images in each | labelled |
| images | not labelled |

Classes are numbered in the order of their names, or by their names where all of these are whole numbers; an empty
folder keeps its number, a hidden one has none. Images may have any size: one that is not the network's is scaled until
it covers it, and its middle is cut out, unless `qbench.zoo.preprocessing` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import DataError

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".pnm", ".tif", ".tiff",
)  # fmt: skip
UNREAD = (
    ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".tga", ".dcm", ".dicom", ".nii", ".exr", ".hdr", ".svg", ".ico",
    ".raw", ".cr2", ".nef", ".arw", ".dng", ".psd", ".mp4", ".avi",
)  # fmt: skip
"""Ends of names of images that are not read: they are counted, so that nobody believes they were."""
_NO_CLASS = ("__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "lost+found")
"""Folders that systems make."""
_MOST_CLASSES = 100_000


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Images of a folder before any of them is opened.

    Args:
        paths: sorted within their class.
        labels: a class index for each, empty where nothing is known.
        classes: names of the classes, empty where nothing is known.
        remarks: a line each on what was not read.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def find_images(folder: Path) -> ImageFiles:
    """Return the images of a folder.

    Raises:
        DataError: there is none, or some lie beside the folders of classes.
    """
    try:
        loose = _images_in(folder)
        found = {child.name: _images_in(child) for child in sorted(folder.iterdir()) if _is_class(child)}
        unread = list(_unread(folder, found))
    except OSError as error:
        raise DataError(f"{folder}: expected a folder of images, got {error.strerror}") from error
    classes = {name: paths for name, paths in found.items() if paths}
    if loose and classes:
        raise DataError(
            f"{folder}: expected images, or one folder per class, got {len(loose)} images beside {len(classes)}"
        )
    if not loose and not classes:
        raise DataError(
            f"{folder}: expected images ({', '.join(SUFFIXES)}) or folders of them, found none{_deeper(folder)}"
        )
    remarks = tuple(_counted(unread))
    if loose:
        return ImageFiles(tuple(loose), (), (), remarks)
    numbers = _class_numbers(folder, list(found))
    names = {number: name for name, number in numbers.items()}
    labels = [numbers[name] for name, paths in classes.items() for _ in paths]
    paths = tuple(path for some in classes.values() for path in some)
    empty = [name for name in found if name not in classes]
    if empty:
        some = ", ".join(empty[:5]) + (" ..." if len(empty) > 5 else "")
        remarks = (
            *remarks,
            f"{len(empty)} of {len(found)} class folders hold no images and keep their numbers: {some}",
        )
    every = tuple(names.get(index, str(index)) for index in range(max(numbers.values()) + 1))
    return ImageFiles(paths, tuple(labels), every, remarks)


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _is_named(path, SUFFIXES) and path.is_file())


def _is_named(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def _is_class(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.name not in _NO_CLASS


def _unread(folder: Path, classes: dict[str, list[Path]]) -> Iterator[Path]:
    """Yield what looks like an image and is not read: of other formats, links to nothing, deeper within classes."""
    for place in (folder, *(folder / name for name in classes)):
        for path in place.iterdir():
            if _is_named(path, UNREAD) or (_is_named(path, SUFFIXES) and not path.is_file()):
                yield path
            elif place != folder and _is_class(path):
                yield from _images_in(path)


def _counted(unread: list[Path]) -> Iterator[str]:
    if unread:
        kinds = ", ".join(sorted({path.suffix.lower() for path in unread}))
        yield f"{len(unread)} files look like images and are not read ({kinds}), {sorted(unread)[0]} among them"


def _deeper(folder: Path) -> str:
    """Return where images lie that are one folder too deep, "" where there are none."""
    for path in sorted(folder.glob("*/*/*")):
        if _is_named(path, SUFFIXES) and _is_class(path.parent) and _is_class(path.parent.parent):
            return f"; there are some in {path.parent}: give {path.parent.parent}"
    return ""


def _class_numbers(folder: Path, names: list[str]) -> dict[str, int]:
    """Return the index of each class; whole numbers as names say it themselves."""
    if not all(name.isascii() and name.isdigit() for name in names):
        return {name: index for index, name in enumerate(names)}
    numbers = {name: int(name) for name in names if len(name) < 20}
    if len(set(numbers.values())) < len(names) or max(numbers.values()) > _MOST_CLASSES:
        raise DataError(f"{folder}: expected class folders named by different numbers up to 100,000, got {names[:5]}")
    return numbers
