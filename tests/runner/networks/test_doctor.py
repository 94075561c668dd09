"""The input doctor: what is suspicious is told in a line, and what is in order is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from qbench.core.tensor import Floats
from qbench.metrics import Answers, load_task
from qbench.runner.networks import doctor
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.suspects import suspicions
from qbench.zoo import Dataset
from qbench.zoo.arrays import Arrays
from tests.runner.conftest import small_network

GENERATOR = np.random.default_rng(0)
CLASSES = ("ant", "bee", "cat", "dog")
LABELS = np.arange(300, dtype=np.int64) % 4
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(**changes: Any) -> Dataset:
    """Return pictures whose middle has the colour of their class."""
    images = GENERATOR.integers(90, 140, (300, 8, 8, 3), dtype=np.uint8)
    for label, colour in enumerate(((220, 20, 20), (20, 220, 20), (20, 20, 220), (120, 120, 120))):
        images[label == LABELS, 2:6, 2:6] = colour
    none = np.empty((0, 8, 8, 3), np.uint8)
    return replace(Dataset("mine", images, LABELS, none, CLASSES, MEAN, STD), **changes)


def trained(inputs: Floats) -> Floats:
    """Tell classes by the colour in the middle, of images that are normalized as this network wants it."""
    scale = np.asarray(STD).reshape(1, 3, 1, 1), np.asarray(MEAN).reshape(1, 3, 1, 1)
    middle = (inputs * scale[0] + scale[1])[:, :, 2:6, 2:6].mean(axis=(2, 3))
    colours = np.array([[220, 20, 20], [20, 220, 20], [20, 20, 220], [120, 120, 120]]) / 255
    wrong = 10 * (np.abs(middle[:, None] - colours).max(axis=2) > 0.05)
    return (-np.abs(middle[:, None] - colours).sum(axis=2) - wrong * [1, 2, 3, 0.5]).astype(np.float32)


def told(data: Dataset, run: Callable[[Floats], Floats] = trained) -> list[str]:
    return suspicions(Answers(run(data.inputs()), data.labels, load_task("top1")), data, operations=1, run=run)


def test_fp32_that_answers_well_is_not_suspected() -> None:
    assert told(pictures()) == []


def test_a_missing_normalization_is_found_by_trying_those_that_are_known() -> None:
    (line,) = told(pictures(mean=(0.0,) * 3, std=(1.0,) * 3, scaled=False))
    assert line.startswith("fp32 is right on 25 %: no mean and std were given; with those of ImageNet (mean 0.485,")
    assert "std 0.229,0.224,0.225) 100 %" in line
    (line,) = told(pictures(mean=(0.5,) * 3, std=(0.5,) * 3))
    assert "mean and std may not be those that it was trained with; with those of ImageNet" in line


def test_channels_in_another_order_are_found() -> None:
    data = pictures()
    (line,) = told(replace(data, images=np.ascontiguousarray(data.images[..., ::-1])))
    assert "channels may be in another order" in line or "and the channels as blue, green, red" in line
    assert "100 %" in line


def test_classes_in_another_order_are_found() -> None:
    (line,) = told(pictures(), lambda x: np.roll(trained(x), 1, axis=1))
    assert "the classes may be in another order than its outputs; in theirs 100 %: output 0 is class 3 ('dog')" in line
    (line,) = told(pictures(), lambda x: np.pad(trained(x), ((0, 0), (1, 0)), constant_values=-99))
    assert "output i is class i - 1" in line


def test_guesses_by_chance_that_nothing_explains_are_told_as_such() -> None:
    (line,) = told(pictures(), lambda x: np.random.default_rng(1).standard_normal((len(x), 4)).astype(np.float32))
    assert "as by chance" in line


@pytest.mark.parametrize(
    ("count", "line"), [(450, "450 images cannot show a loss of 0.5 points, 4,000 can"), (2000, "")]
)
def test_few_images_are_told_what_they_can_show(count: int, line: str) -> None:
    found = [*doctor.count_remarks(count)]
    assert [text[: len(line)] for text in found] == ([line] if line else [])


@pytest.mark.parametrize(
    ("labels", "classes", "outputs", "expected"),
    [
        (LABELS, CLASSES, 4, []),
        (LABELS, CLASSES, 1000, ["the data name 4 classes, the network tells 1,000 apart: class 3 ('dog')"]),
        (LABELS, ("0", "1", "2", "3"), 1000, []),
        (LABELS * 0, CLASSES, 4, ["all 300 samples are of class 0 ('ant')"]),
        (LABELS // 3, CLASSES, 4, ["2 of 4 classes have no sample, class 2 ('cat') among them"]),
        (np.maximum(LABELS % 8, 0) * (np.arange(300) % 5 == 0), CLASSES, 4, ["85 % of the samples are of class 0"]),
        (LABELS[:8], tuple("abcdefgh"), 8, []),
    ],
)
def test_classes_are_counted(
    labels: npt.NDArray[np.int64], classes: tuple[str, ...], outputs: int, expected: list[str]
) -> None:
    found = [*doctor.class_remarks(labels, classes, outputs=outputs)]
    assert [line[: len(want)] for line, want in zip(found, expected, strict=True)] == expected


def test_grey_blank_and_missing_channels_are_told() -> None:
    images = pictures().images
    assert [*doctor.channel_remarks(images)] == []
    assert "grey" in next(doctor.channel_remarks(np.repeat(images[..., :1], 3, axis=3)))
    assert "every pixel of the images is 7" in next(doctor.channel_remarks(np.full_like(images, 7)))
    missing = images.copy()
    missing[..., 2] = 0
    assert [*doctor.channel_remarks(missing)] == ["channel 2 of the images is 0 everywhere"]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (GENERATOR.standard_normal((20, 6)), ""),
        (GENERATOR.integers(0, 256, (20, 6)), "holds whole numbers of "),
        (np.full((20, 6), 3.0), "every number of 'x' is 3"),
        (GENERATOR.standard_normal((20, 6)) * 1e6, "8 bits tell few of them apart"),
        (np.where(np.eye(20, 6) > 0, np.nan, 0.5 * np.eye(20, 6) + np.arange(6)), "6 of 20 samples of 'x' hold nan"),
    ],
)
def test_numbers_of_inputs_are_looked_at(numbers: npt.NDArray[Any], expected: str) -> None:
    array = numbers.astype(np.float32)
    found = " | ".join([*doctor.finite_remarks("x", array), *doctor.range_remarks("x", array)])
    assert expected in found
    assert bool(found) == bool(expected)


def test_calibration_samples_of_another_kind_are_told() -> None:
    samples = GENERATOR.standard_normal((40, 6)).astype(np.float32)
    assert [*doctor.shift_remarks(samples[:20], samples[20:])] == []
    (line,) = doctor.shift_remarks(samples[:20], samples[20:] + 3)
    assert line.startswith("calibration samples have mean ")
    assert [*doctor.shift_remarks(samples[:20], samples[:0])] == []


def test_unlabelled_pictures_without_mean_and_std_are_told_what_the_network_sees() -> None:
    data = pictures(labels=np.empty(0, np.int64), classes=(), mean=(0.0,) * 3, std=(1.0,) * 3, scaled=False)
    (line,) = doctor.look(data, small_network(), 300)
    assert line.startswith("input: no mean and std were given: the network sees pixels of 0 to 1 (mean 0.4")
    assert doctor.look(replace(data, mean=MEAN, std=STD, scaled=True), small_network(), 300) == ()
    (line,) = doctor.look(replace(data, mean=(0.0,) * 3, std=(0.004,) * 3, scaled=True), small_network(), 300)
    assert "the network sees numbers of mean 10" in line


def test_arrays_are_looked_at_by_input(tmp_path: Path) -> None:
    part = GENERATOR.standard_normal((16, 3, 8, 8)).astype(np.float32)
    part[3, 0, 0, 0] = np.inf
    data = Arrays("mine", {"images": part}, np.empty(0, np.int64), {"images": part[:0]})
    (line,) = Bench(small_network(), data, threads=1).remarks
    assert line == "input: 1 of 16 samples of 'images' hold nan or infinity: answers to them mean nothing"
