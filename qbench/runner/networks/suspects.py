"""What may be wrong where fp32 itself answers badly: normalization, order of channels, order of classes.

Each is tried on a small labelled sample; what is far better than what was given is told in a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats
from qbench.metrics import Answers, accuracy
from qbench.zoo import Dataset, Samples
from qbench.zoo.dataset import normalized
from qbench.zoo.preprocessing import BY_COLOUR, KNOWN

Bools = npt.NDArray[np.bool_]
Run = Callable[[Floats], Floats]
"""Inputs as the network takes them -> logits (n, classes)."""

POOR = 0.75
"""fp32 that is right more often is believed."""
_CLEAR = 3.5
"""Standard errors by which one is better than the other on the same samples."""
_GAIN = 0.05
_SAMPLE, _LEAST, _OPERATIONS = 200, 32, 2e11
"""Most and fewest samples, and operations that one trial may cost."""


def suspicions(answers: Answers, data: Samples, *, operations: int, run: Run) -> list[str]:
    """Return what is likely to be wrong, [] where fp32 answers well or nothing is known of the samples.

    Args:
        answers: fp32's to all evaluation samples, with labels.
        data: the samples.
        operations: of the network, per sample.
        run: the network in fp32.
    """
    classes = len(data.classes)
    if classes < 2 or not answers.labelled or answers.task.outputs != "classes":
        return []
    right = accuracy.correct(answers.logits, answers.labels)
    if right.mean() >= POOR:
        return []
    found: list[_Suspicion] = []
    pictures = isinstance(data, Dataset)
    if isinstance(data, Dataset):
        found += _other_pixels(data, answers, right, operations=operations, run=run)
    found += _other_classes(answers, data.classes, right)
    if found:
        return [max(found, key=lambda one: one.share).line]
    low, _ = accuracy.wilson(int(right.sum()), len(right))
    if low > 1.0 / classes:
        return []
    noun, more = ("images", ", and the mean and std that it was trained with") if pictures else ("samples", "")
    return [
        f"fp32 is right on {100 * right.mean():.1f} % of the {noun}, as by chance: expected classes in the order of "
        f"the network's outputs{more}"
    ]


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """What may be wrong, and the share of the samples that fp32 would be right on were that mended."""

    share: float
    line: str


@dataclass(frozen=True, slots=True)
class _Way:
    """A manner to normalize images: its name, mean and std per channel, and whether blue comes first."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    blue_first: bool

    def inputs(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Return images (n, h, w, c) as float32 (n, c, h, w)."""
        return normalized(images[..., ::-1] if self.blue_first else images, self.mean, self.std)


def _ways(data: Dataset) -> Iterator[_Way]:
    """Yield known manners, those with blue first for colours, and that of the data with blue first."""
    channels = data.images.shape[3]
    for blue_first in (False, True) if channels == 3 else (False,):
        for name, (mean, std) in KNOWN.items():
            fits = len(mean) in (1, channels)
            if fits and (blue_first or not (_same(mean, data.mean) and _same(std, data.std))):
                by_colour = mean[::-1] if blue_first and name == BY_COLOUR else mean
                repeated = (by_colour * channels)[:channels], (std * channels)[:channels]
                yield _Way(f"those of {name} (mean {_text(mean)}, std {_text(std)})", *repeated, blue_first)
        if blue_first:
            yield _Way("" if data.scaled else "neither", data.mean, data.std, blue_first)


def _same(known: tuple[float, ...], given: tuple[float, ...]) -> bool:
    return bool(np.allclose(known, given, atol=0.003))


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:.4g}" for number in numbers)


def _other_pixels(data: Dataset, answers: Answers, right: Bools, *, operations: int, run: Run) -> Iterator[_Suspicion]:
    """Yield which normalization or order of channels serves fp32 far better than what was given."""
    if np.dtype(data.dtype).kind != "f" or data.images.shape[3] not in (1, 3):
        return
    count = int(min(len(right), max(_LEAST, min(_SAMPLE, _OPERATIONS / max(1, operations)))))
    chosen = np.unique(np.linspace(0, len(right) - 1, count).astype(np.int64))
    images, labels, now = data.images[chosen], answers.labels[chosen], right[chosen]
    best, best_right = None, now
    for way in _ways(data):
        inputs = way.inputs(images).astype(data.dtype, copy=False)
        logits = run(np.ascontiguousarray(inputs.transpose(0, 2, 3, 1)) if data.channels_last else inputs)
        found = accuracy.correct(logits, labels)
        if found.sum() > best_right.sum():
            best, best_right = way, found
    least, _ = accuracy.wilson(int(best_right.sum()), len(best_right))
    if best is None or least <= 1 / len(data.classes) or not _clearly_better(best_right, now):
        return
    given = (
        "no mean and std were given" if not data.scaled else "mean and std may not be those that it was trained with"
    )
    order = "the channels as blue, green, red" if best.blue_first else ""
    if best.name == "" or best.name == "neither":
        given, words = "the channels may be in another order", f"with {order}"
    else:
        words = f"with {best.name}" + (f" and {order}" if order else "")
    yield _Suspicion(
        float(best_right.mean()),
        f"fp32 is right on {100 * right.mean():.0f} %: {given}; {words} {100 * best_right.mean():.0f} % "
        f"(of {len(chosen)} images; it is {100 * now.mean():.0f} % on these)",
    )


def _other_classes(answers: Answers, classes: tuple[str, ...], right: Bools) -> Iterator[_Suspicion]:
    """Yield which outputs are which classes, where these seem to be in another order.

    What each output mostly means is learned on half of the samples and tried on the others.
    """
    guesses, labels = np.argmax(answers.logits, axis=1), answers.labels
    votes = np.zeros((answers.logits.shape[1], max(len(classes), int(labels.max()) + 1)), np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    learned, tried = np.array_split(order, 2)
    np.add.at(votes, (guesses[learned], labels[learned]), 1)
    meant = votes.argmax(axis=1)
    found, now = meant[guesses[tried]] == labels[tried], right[tried]
    if len(found) < _LEAST // 2 or not _clearly_better(found, now) or found.mean() < 2 * now.mean():
        return
    moved = [int(output) for output in np.flatnonzero(votes.sum(axis=1)) if meant[output] != output]
    steps = {int(meant[output]) - output for output in moved}
    some = ", ".join(f"output {output} is class {meant[output]} ('{classes[meant[output]]}')" for output in moved[:3])
    if len(steps) == 1:
        (step,) = steps
        some = f"output i is class i {'+' if step > 0 else '-'} {abs(step)}"
    yield _Suspicion(
        float(found.mean()),
        f"fp32 is right on {100 * right.mean():.0f} %: the classes may be in another order than its outputs; in theirs "
        f"{100 * found.mean():.0f} %: {some}",
    )


def _clearly_better(found: Bools, than: Bools) -> bool:
    """Return whether one is right far oftener than the other on the same samples."""
    gained, lost = int((found & ~than).sum()), int((than & ~found).sum())
    clear = (gained - lost) >= _CLEAR * np.sqrt(max(1, gained + lost))
    return bool(clear) and float(found.mean() - than.mean()) >= _GAIN
