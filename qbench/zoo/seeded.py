"""Inputs of a network made from a seed: of any shape and type, one for each input, without labels.

They are named by what they are: `seeded:input_ids=64:ids8000,attention_mask=64:ones`. Each input has its name, its
shape without the batch (`3x224x224`; `-` for a number a sample) and one of the kinds below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError, suggest
from qbench.zoo.arrays import Arrays, Input
from qbench.zoo.networks.numbers import Numbers
from qbench.zoo.own_file import CALIBRATION_PREFIX, arrays_of
from qbench.zoo.smooth import SCALING, smooth_images

PREFIX = "seeded:"
EVALUATED, CALIBRATION = 32, 32
_SEED = 7
_LARGEST = 100_000_000
_PART = re.compile(r"(?P<name>.+)=(?P<shape>-|\d+(?:x\d+)*):(?P<kind>[a-z]+)(?P<number>\d*)")

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One input.

    Args:
        name: of the input.
        shape: of one sample.
        kind: one of `KINDS`.
        number: that stands behind the kind, 0 without one.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    number: int


def _images(part: Part, count: int, numbers: Numbers) -> Array:
    """Return pictures (c, h, w) or (h, w, c), c is 1 or 3, scaled as ImageNet's."""
    last = len(part.shape) == 3 and part.shape[-1] in (1, 3)
    if len(part.shape) != 3 or not (last or part.shape[0] in (1, 3)):
        raise DataError(f"input '{part.name}': expected images of 1 or 3 channels, got a shape of {part.shape}")
    channels, height, width = (part.shape[2], *part.shape[:2]) if last else part.shape
    size = -(-max(height, width) // 32) * 32
    pictures = smooth_images(count, size=size, seed=numbers.index(1000))[:, :height, :width, :channels] / 255.0
    scaled = (pictures - np.asarray(SCALING[0])[:channels]) / np.asarray(SCALING[1])[:channels]
    return np.ascontiguousarray(scaled if last else scaled.transpose(0, 3, 1, 2)).astype(np.float32)


def _bgr(part: Part, count: int, numbers: Numbers) -> Array:
    """Return pictures as Caffe's networks take them: blue first, on a scale of 255, less the mean of ImageNet."""
    last = part.shape[-1] == 3
    picture = _images(part, count, numbers)
    shape = (3,) if last else (3, 1, 1)
    pixels = picture * np.reshape(SCALING[1], shape) * 255.0
    return np.ascontiguousarray(np.flip(pixels, -1 if last else 1)).astype(np.float32)


def _page(part: Part, count: int, numbers: Numbers) -> Array:
    """Return pictures (3, h, w) of dark words on light paper, on a scale of -1 to 1."""
    from PIL import Image, ImageDraw, ImageFont

    if len(part.shape) != 3 or part.shape[0] != 3 or part.shape[1] < 32:
        raise DataError(f"input '{part.name}': expected images of 3 channels, 32 or more high, got {part.shape}")
    height, width = part.shape[1:]
    out = np.empty((count, *part.shape), np.float32)
    for place in range(count):
        paper = Image.new("RGB", (width, height), tuple(200 + numbers.index(56) for _ in range(3)))
        pen, size = ImageDraw.Draw(paper), min(height - 8, 18 + numbers.index(14))
        for top in range(2, max(3, height - size), 2 * size):
            letters = (numbers.uniform(max(4, width // size)) * 30).astype(int)
            line = "".join("aeiourstnlmdhcgpkvbfwyzxjq    "[letter] for letter in letters)
            pen.text(
                (4 + numbers.index(20), top), line, fill=(numbers.index(90),) * 3, font=ImageFont.load_default(size)
            )
        out[place] = (np.asarray(paper).transpose(2, 0, 1) - 127.5) / 127.5
    return out


def _normal(part: Part, count: int, numbers: Numbers) -> Array:
    """Return normal numbers."""
    return numbers.normal(count, *part.shape).astype(np.float32)


def _sound(part: Part, count: int, numbers: Numbers) -> Array:
    """Return three tones a sample that come and go, with some noise; the last longer axis is time."""
    length = math.prod(part.shape)
    time = np.arange(length) / 16_000.0
    total = 0.02 * numbers.normal(count, length)
    for _ in range(3):
        pitch, phase, pulse = numbers.uniform(3, count, 1) * np.asarray([900.0, 2 * np.pi, 6.0])[:, None, None]
        total += 0.1 * np.sin(2 * np.pi * (100.0 + pitch) * time + phase) * np.abs(np.sin(pulse * time + phase))
    return np.ascontiguousarray(total.reshape(count, *part.shape), dtype=np.float32)


def _ids(part: Part, count: int, numbers: Numbers) -> Array:
    """Return whole numbers from 0 to below the number behind the kind, as int64."""
    return (numbers.uniform(count, *part.shape) * max(1, part.number)).astype(np.int64)


def _bytes(part: Part, count: int, numbers: Numbers) -> Array:
    """Return whole numbers from 0 to 255, as int32; each sample keeps to a range of its own, as files do."""
    narrow = (count, *(1 for _ in part.shape))
    low, span = numbers.uniform(2, *narrow) * 128
    return np.asarray(low + numbers.uniform(count, *part.shape) * span, dtype=np.int32)


def _ones(part: Part, count: int, numbers: Numbers) -> Array:
    """Return ones, as int64: the mask of samples of full length."""
    return np.ones((count, *part.shape), np.int64)


def _zeros(part: Part, count: int, numbers: Numbers) -> Array:
    """Return zeros, as float32: a state at its beginning."""
    return np.zeros((count, *part.shape), np.float32)


KINDS: dict[str, Callable[[Part, int, Numbers], Array]] = {
    "images": _images, "bgr": _bgr, "page": _page, "normal": _normal, "sound": _sound, "ids": _ids, "bytes": _bytes,
    "ones": _ones, "zeros": _zeros,
}  # fmt: skip


_PICTURES = ("images", "bgr")


def is_seeded(name: str) -> bool:
    """Return whether a name of data says what is to be made."""
    return name.startswith(PREFIX)


def parts_of(name: str) -> tuple[Part, ...]:
    """Return the inputs that a name tells of; raise DataError where it cannot be read."""
    return tuple(_part(name, text) for text in name.removeprefix(PREFIX).split(","))


def _part(name: str, text: str) -> Part:
    found = _PART.fullmatch(text.strip())
    if found is None:
        raise DataError(f"data '{name}': expected {PREFIX}NAME=3x224x224:KIND,..., got '{text}'")
    if found["kind"] not in KINDS:
        raise DataError(f"data '{name}': unknown kind '{found['kind']}'{suggest(found['kind'], KINDS)}")
    shape = () if found["shape"] == "-" else tuple(map(int, found["shape"].split("x")))
    if not 0 < math.prod(shape) <= _LARGEST:
        raise DataError(f"data '{name}': expected 1..{_LARGEST:,} numbers a sample, got {found['shape']}")
    return Part(found["name"], shape, found["kind"], int(found["number"] or 0))


def load_seeded(name: str, inputs: tuple[Input, ...] = ()) -> Arrays:
    """Return the samples that a name tells of, 32 to evaluate and 32 to calibrate on.

    Args:
        name: `seeded:...`.
        inputs: of the network, whose order and types the arrays take, and whose channels may stand first where
            those of the file stand last; () for those of the name.

    Raises:
        DataError: the name cannot be read, or does not fit the network.
    """
    made = {}
    for index, part in enumerate(parts_of(name)):
        array = KINDS[part.kind](part, EVALUATED + CALIBRATION, Numbers(_SEED + 1000 * index))
        moved = tuple(part.shape[-1:] + part.shape[:-1])
        first = part.kind in _PICTURES and Input(part.name, moved, str(array.dtype)) in inputs
        made[part.name] = np.moveaxis(array, -1, 1) if first else array
    wanted = inputs or tuple(Input(key, array.shape[1:], str(array.dtype)) for key, array in made.items())
    both = {key: array[:EVALUATED] for key, array in made.items()}
    both |= {CALIBRATION_PREFIX + key: array[EVALUATED:] for key, array in made.items()}
    return arrays_of(name, both, wanted)
