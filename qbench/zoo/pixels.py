"""Images in files -> bytes in the size that a network takes, whatever their kind and size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError
from qbench.zoo.preprocessing import AS_THEY_ARE, Preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Bytes = npt.NDArray[np.uint8]
_MODES = {1: "L", 3: "RGB"}
_MOST_PIXELS = 150_000_000


def read_images(paths: list[Path], *, shape: tuple[int, int, int], how: Preprocessing = AS_THEY_ARE) -> Bytes:
    """Return images as uint8 (n, h, w, c), cut to `shape` (c, h, w); raise DataError for one that cannot be read."""
    channels, height, width = shape
    if channels not in _MODES:
        raise DataError(f"a folder of images has 1 channel (grey) or 3 (colour), but the network takes {channels}")
    out = np.empty((len(paths), height, width, channels), np.uint8)
    for place, path in enumerate(paths):
        found = _read(path, mode=_MODES[channels], size=(width, height), how=how)
        out[place] = found.reshape(height, width, channels)
    return out


def size_remarks(paths: list[Path], *, size: tuple[int, int]) -> tuple[str, ...]:
    """Return a line where most of the images, which can be read, are smaller than `size` (width, height)."""
    from PIL import Image

    small = 0
    for path in paths:
        with Image.open(path) as image:
            small += image.width < size[0] or image.height < size[1]
    if small <= len(paths) / 2:
        return ()
    return (f"{small} of {len(paths)} images are smaller than the {size[1]} x {size[0]} that the network takes",)


def fitted(images: Bytes, *, size: tuple[int, int], how: Preprocessing, where: str) -> Bytes:
    """Return images (n, h, w, c) scaled and cut to `size` (width, height); raise DataError for 2 channels or over 3."""
    from PIL import Image

    if (images.shape[2], images.shape[1]) == size and not (how.resize or how.crop):
        return images
    channels = images.shape[3]
    if channels not in _MODES:
        raise DataError(f"{where}: expected images of 1 or 3 channels, that can be scaled and cut, got {channels}")
    flat = images if channels == 3 else images[..., 0]
    out = np.empty((len(images), size[1], size[0], channels), np.uint8)
    for place, pixels in enumerate(flat):
        out[place] = np.asarray(_sized(Image.fromarray(pixels), size=size, how=how)).reshape(out.shape[1:])
    return out


def _read(path: Path, *, mode: str, size: tuple[int, int], how: Preprocessing) -> Bytes:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged and odd metadata: what counts are the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(_sized(_of_bytes(image, path).convert(mode), size=size, how=how), dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # readers of damaged files raise whatever comes to them
        line = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: expected a whole image of reasonable size, got: {line}") from error


def _of_bytes(image: Picture, path: Path) -> Picture:
    """Return an image of 8 bits per channel; one of 16 bits is scaled to that, 65,535 to 255."""
    from PIL import Image

    if image.mode == "F":
        raise DataError(f"{path}: expected an image of whole numbers, got one of floats; give floats in an .npz file")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    numbers = np.asarray(image).astype(np.int64)
    if numbers.min() < 0 or numbers.max() > 65_535:
        found = f"{numbers.min()}..{numbers.max()}"
        raise DataError(f"{path}: expected numbers of 8 or 16 bits, got {found}; give such numbers in an .npz file")
    return Image.fromarray(((numbers + 128) // 257).astype(np.uint8))


def _sized(image: Picture, *, size: tuple[int, int], how: Preprocessing) -> Picture:
    """Return the image scaled and cut as wanted, then in `size` (width, height)."""
    from PIL import Image, ImageOps

    bilinear = Image.Resampling.BILINEAR
    cut = size if how.crop is None else (how.crop[-1], how.crop[0])
    if how.resize is None and (how.crop is None or image.width < cut[0] or image.height < cut[1]):
        found = image if image.size == cut else ImageOps.fit(image, cut, bilinear)
    else:
        if how.resize is not None:
            image = image.resize(_scaled_size(image.size, how.resize), bilinear)
        left, top = (image.width - cut[0]) // 2, (image.height - cut[1]) // 2
        if left < 0 or top < 0:
            scaled, wanted = f"{image.height} x {image.width}", f"{cut[1]} x {cut[0]}"
            raise DataError(f"resize: expected a size out of which {wanted} can be cut, got {scaled} (height x width)")
        found = image.crop((left, top, left + cut[0], top + cut[1]))
    return found if found.size == size else found.resize(size, bilinear)


def _scaled_size(size: tuple[int, int], wanted: tuple[int, ...]) -> tuple[int, int]:
    """Return width and height: as wanted (height, width), or with the shorter side as wanted."""
    if len(wanted) == 2:
        return wanted[1], wanted[0]
    width, height = size
    short = min(width, height)
    if width * height * wanted[0] ** 2 > _MOST_PIXELS * short**2:
        raise DataError(f"resize: an image of {height} x {width} would have over {_MOST_PIXELS:,} pixels")
    return width * wanted[0] // short, height * wanted[0] // short
