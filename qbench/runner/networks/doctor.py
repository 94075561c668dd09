"""The input doctor: what looks suspicious about the samples, told in a line each before anything is computed.

Plain functions from arrays to remarks. What fp32 itself is wrong about is looked at in `suspects`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.graph import Network
from qbench.zoo import Dataset, Samples
from qbench.zoo.arrays import Arrays

Array = npt.NDArray[Any]

_LOOKED_AT = 256
"""Samples that are looked at."""
_CHANGED = 1 / 40
"""Share of answers that change under a loss that matters, in the published runs between 1 in 300 and 1 in 24."""
_WANTED_POINTS, _WORST_POINTS = 0.5, 1.0
_MANY_EACH = 5
"""With so many samples per class every class should occur."""


def look(data: Samples, network: Network, count: int) -> tuple[str, ...]:
    """Return a line for everything that looks suspicious about the first `count` evaluation samples of data."""
    found = list(getattr(data, "remarks", ()))  # samples of other packages need have none
    chosen = np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64))
    if isinstance(data, Dataset):
        images = data.images[chosen]
        found += [*channel_remarks(images), *scale_remarks(data, _taken(data, chosen))]
        found += shift_remarks(images, data.calibration[:_LOOKED_AT])
    elif isinstance(data, Arrays):
        for name, part in data.parts.items():
            found += [*finite_remarks(name, part[:count]), *range_remarks(name, part[chosen])]
            found += shift_remarks(part[chosen], data.apart[name][:_LOOKED_AT])
    if data.labelled:
        noun = "images" if isinstance(data, Dataset) else "samples"
        outputs = math.prod(network.shapes[network.answer])
        found += [*class_remarks(data.labels[:count], data.classes, outputs=outputs), *count_remarks(count, noun=noun)]
    return tuple(f"input: {line}" for line in found)


def _taken(data: Dataset, chosen: npt.NDArray[np.int64]) -> Array:
    """Return some images as the network sees them, channels first."""
    seen = np.concatenate([data.inputs(index, index + 1) for index in chosen.tolist()])
    return seen.transpose(0, 3, 1, 2) if data.channels_last else seen


def count_remarks(count: int, *, noun: str = "images") -> Iterator[str]:
    """Yield how small a loss so many labelled samples can show, where that is over a point."""
    least = 100 * 1.96 * math.sqrt(_CHANGED / max(1, count))
    if least > _WORST_POINTS:
        enough = round((1.96 / (_WANTED_POINTS / 100)) ** 2 * _CHANGED, -3)
        yield (
            f"{count:,} {noun} cannot show a loss of {_WANTED_POINTS} points, {enough:,.0f} can: the least that they "
            f"show is about {least:.1f}"
        )


def class_remarks(labels: npt.NDArray[np.int64], classes: tuple[str, ...], *, outputs: int) -> Iterator[str]:
    """Yield what is odd about the number of classes, and about how often each occurs.

    Args:
        labels: (n,).
        classes: their names.
        outputs: numbers that the network answers for a sample.
    """
    numbered = classes == tuple(map(str, range(len(classes))))
    if len(classes) < outputs and not numbered:
        yield (
            f"the data name {len(classes)} classes, the network tells {outputs:,} apart: class {len(classes) - 1} "
            f"('{classes[-1]}') must be its output {len(classes) - 1}, and so on"
        )
    counts = np.bincount(labels, minlength=len(classes))
    largest, missing = int(counts.argmax()), int((counts == 0).sum())
    share = counts[largest] / max(1, len(labels))
    if len(classes) > 1 and share == 1.0:
        yield f"all {len(labels)} samples are of class {largest} ('{classes[largest]}')"
    elif len(classes) > 1 and share > max(0.5, 3 / len(classes)):
        yield f"{100 * share:.0f} % of the samples are of class {largest} ('{classes[largest]}')"
    elif missing and len(labels) >= _MANY_EACH * len(classes):
        first = int((counts == 0).argmax())
        yield f"{missing} of {len(classes)} classes have no sample, class {first} ('{classes[first]}') among them"


def channel_remarks(images: Array) -> Iterator[str]:
    """Yield what is odd about the channels of images (n, h, w, c) of bytes."""
    if images.size and images.min() == images.max():
        yield f"every pixel of the images is {images.min()}"
        return
    if images.shape[3] == 3 and all(np.array_equal(images[..., 0], images[..., other]) for other in (1, 2)):
        yield "the images are grey: their three channels are equal"
        return
    for channel in range(images.shape[3]):
        part = images[..., channel]
        if part.size and part.min() == part.max():
            yield f"channel {channel} of the images is {part.min()} everywhere"


def scale_remarks(data: Dataset, seen: Array) -> Iterator[str]:
    """Yield what is odd about the numbers (n, c, h, w) that a network sees of images."""
    if np.dtype(data.dtype).kind != "f":
        return
    mean, std = float(seen.mean(dtype=np.float64)), float(seen.std(dtype=np.float64))
    if not data.scaled and not data.labelled:  # where there are labels, fp32's accuracy says whether that is right
        yield (
            f"no mean and std were given: the network sees pixels of 0 to 1 (mean {mean:.2f}, std {std:.2f}); give "
            "those that it was trained with"
        )
    elif data.scaled and (abs(mean) > 3 or not 0.1 <= std <= 10):
        seen_as = f"numbers of mean {mean:.3g} and std {std:.3g}"
        yield f"with this mean and std the network sees {seen_as}; expected about 0 and 1"


def finite_remarks(name: str, array: Array) -> Iterator[str]:
    """Yield how many samples of an input hold numbers that are not finite."""
    if array.dtype.kind != "f":
        return
    wrong = int((~np.isfinite(array).reshape(len(array), -1).all(axis=1)).sum())
    if wrong:
        yield f"{wrong} of {len(array)} samples of '{name}' hold nan or infinity: answers to them mean nothing"


def range_remarks(name: str, array: Array) -> Iterator[str]:
    """Yield what is odd about the numbers of an input: all the same, or pixels that nobody scaled."""
    numbers = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if not numbers.size or array.dtype.kind == "b":
        return
    low, high = float(numbers.min()), float(numbers.max())
    if low == high and len(array) > 1 and array.dtype.kind == "f":
        yield f"every number of '{name}' is {low:g}"
    elif array.dtype.kind == "f" and low >= 0 and 100 < high <= 65_535 and np.array_equal(numbers, np.round(numbers)):
        yield (
            f"'{name}' holds whole numbers of {low:g} to {high:g}: if they are pixels, most networks want them "
            "on a scale of 0 to 1, less a mean and over a std"
        )
    elif array.dtype.kind == "f" and max(abs(low), abs(high)) > 1e4:
        yield f"'{name}' holds numbers of {low:.3g} to {high:.3g}: 8 bits tell few of them apart"


def shift_remarks(samples: Array, calibration: Array) -> Iterator[str]:
    """Yield that calibration samples are of another kind than those that are evaluated."""
    if min(len(samples), len(calibration)) < 8 or samples.dtype.kind == "b":
        return
    with np.errstate(all="ignore"):
        mean, other = (float(np.mean(part, dtype=np.float64)) for part in (samples, calibration))
        std, std_other = (float(np.std(part, dtype=np.float64)) for part in (samples, calibration))
    apart = abs(mean - other) > std or not 0.5 * std <= std_other <= 2 * std
    if math.isfinite(mean + other + std + std_other) and std > 0 and apart:
        yield (
            f"calibration samples have mean {other:.3g} and std {std_other:.3g}, evaluation samples {mean:.3g} and "
            f"{std:.3g}: ranges that suit the ones may not suit the others"
        )
