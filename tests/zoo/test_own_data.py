"""A user's own images: folders, labels from folders, calibration set apart, and a line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from qbench.errors import DataError
from qbench.zoo.arrays import Input
from qbench.zoo.own_data import Wanted, load_own
from qbench.zoo.preprocessing import Preprocessing

SHAPE = (Input("x", (3, 8, 8)),)


def picture(seed: int, size: tuple[int, int] = (8, 8)) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def folder(path: Path, classes: dict[str, int], size: tuple[int, int] = (8, 8)) -> str:
    for number, (name, count) in enumerate(classes.items()):
        (path / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            Image.fromarray(picture(100 * number + index, size)).save(path / name / f"{index}.png")
    return str(path)


def test_folders_of_a_folder_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    data = load_own(folder(tmp_path, {"dog": 6, "ant": 6}), Wanted(SHAPE, calibration=4))
    assert data.classes == ("ant", "dog")
    assert data.labelled
    assert (len(data.images), len(data.calibration)) == (8, 4)
    both = {tuple(image.reshape(-1)[:6]): label for image, label in zip(data.images, data.labels, strict=True)}
    dogs = {tuple(picture(index).reshape(-1)[:6]) for index in range(6)}
    assert {label for pixels, label in both.items() if pixels in dogs} == {1}


def test_whole_numbers_as_names_are_the_labels_themselves(tmp_path: Path) -> None:
    data = load_own(folder(tmp_path, {"10": 4, "2": 4}), Wanted(SHAPE, calibration=2))
    assert set(data.labels) == {2, 10}
    assert len(data.classes) == 11


def test_images_without_folders_are_not_labelled(tmp_path: Path) -> None:
    data = load_own(folder(tmp_path, {".": 8}), Wanted(SHAPE))
    assert not data.labelled
    assert (len(data.images), len(data.calibration), len(data.labels)) == (6, 2, 0)


def test_the_draw_of_the_calibration_images_depends_on_the_seed_alone(tmp_path: Path) -> None:
    source = folder(tmp_path, {".": 20})
    first, same, other = (load_own(source, Wanted(SHAPE, calibration=5, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.calibration, same.calibration)
    assert not np.array_equal(first.calibration, other.calibration)


def test_larger_images_are_scaled_and_cut(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 80, 3), 7, np.uint8)).save(tmp_path / "a.png")
    for index in range(4):
        Image.fromarray(picture(index, (9, 30))).save(tmp_path / f"{index}.jpg")
    data = load_own(str(tmp_path), Wanted(SHAPE, calibration=1))
    assert data.images.shape[1:] == (8, 8, 3)


def test_a_network_of_one_channel_gets_grey_images(tmp_path: Path) -> None:
    data = load_own(
        folder(tmp_path, {".": 4}), Wanted((Input("x", (1, 8, 8)),), calibration=1, how=Preprocessing((0.5,), (0.25,)))
    )
    assert data.images.shape[1:] == (8, 8, 1)
    assert data.inputs().min() >= -2


def test_an_image_that_is_there_twice_is_not_evaluated_when_it_was_calibrated_on(tmp_path: Path) -> None:
    source = folder(tmp_path, {".": 4})
    for index in range(4):
        Image.fromarray(picture(index)).save(tmp_path / f"again-{index}.png")
    data = load_own(source, Wanted(SHAPE, calibration=2))
    assert 4 <= len(data.images) <= 6


def test_a_folder_of_one_image_many_times_is_refused(tmp_path: Path) -> None:
    for index in range(8):
        Image.fromarray(picture(1)).save(tmp_path / f"{index}.png")
    with pytest.raises(DataError, match="every evaluation image is also a calibration image"):
        load_own(str(tmp_path), Wanted(SHAPE))


def test_no_more_are_evaluated_than_wanted(tmp_path: Path) -> None:
    data = load_own(folder(tmp_path, {"a": 10, "b": 10}), Wanted(SHAPE, calibration=4, limit=5))
    assert (len(data.images), len(data.calibration)) == (5, 4)
    assert len(load_own("cifar10-shard", Wanted((Input("x", (3, 32, 32)),), limit=50)).labels) == 50


def test_an_npz_file_needs_neither_labels_nor_calibration(tmp_path: Path) -> None:
    images = np.stack([picture(index) for index in range(12)])
    np.savez(tmp_path / "mine.npz", images=images)
    data = load_own(str(tmp_path / "mine.npz"), Wanted(SHAPE, calibration=3))
    assert not data.labelled
    assert (len(data.images), len(data.calibration)) == (9, 3)


def test_calibration_images_that_the_data_brings_are_kept(tmp_path: Path) -> None:
    images = np.stack([picture(index) for index in range(12)])
    np.savez(tmp_path / "mine.npz", images=images[:8], labels=np.arange(8), calibration=images[8:])
    data = load_own(str(tmp_path / "mine.npz"), Wanted(SHAPE, calibration=2))
    np.testing.assert_array_equal(data.calibration, images[8:])
    assert len(data.images) == 8


def test_nothing_is_set_apart_where_nothing_is_calibrated(tmp_path: Path) -> None:
    data = load_own(folder(tmp_path, {".": 1}), Wanted(SHAPE, calibration=0))
    assert (len(data.images), len(data.calibration)) == (1, 0)


def _nothing(path: Path) -> None:
    (path / "notes.txt").write_text("no images")


def _mixed(path: Path) -> None:
    folder(path, {".": 2, "cat": 2})


def _broken(path: Path) -> None:
    folder(path, {".": 6})
    (path / "7.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")


def _few(path: Path) -> None:
    folder(path, {".": 3})


def _same_numbers(path: Path) -> None:
    folder(path, {"1": 3, "01": 3})


BAD = {
    "expected images (.png": _nothing,
    "expected images, or one folder per class, got 2 images beside 1": _mixed,
    "7.png: expected a whole image": _broken,
    "expected at least 4 images, so that some can be set apart for calibration, got 3": _few,
    "class folders named by different numbers": _same_numbers,
}


@pytest.mark.parametrize("message", BAD)
def test_a_wrong_folder_is_refused_in_one_line(tmp_path: Path, message: str) -> None:
    BAD[message](tmp_path)
    with pytest.raises(DataError) as refusal:
        load_own(str(tmp_path), Wanted(SHAPE))
    assert message in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_more_calibration_images_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected fewer than 6 calibration images, got 6"):
        load_own(folder(tmp_path, {".": 6}), Wanted(SHAPE, calibration=6))


def test_data_that_brings_its_own_scaling_takes_no_other() -> None:
    with pytest.raises(DataError, match="it has its own mean"):
        load_own("cifar10-shard", Wanted((Input("x", (3, 32, 32)),), how=Preprocessing((0.5, 0.5, 0.5))))


def test_a_network_of_five_channels_takes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes 5"):
        load_own(folder(tmp_path, {".": 8}), Wanted((Input("x", (5, 8, 8)),)))


def test_a_word_that_is_no_data_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match="did you mean 'cifar10"):
        load_own("cifar-shard", Wanted(SHAPE))
