"""Samples that are no pictures: by the name of an input, of any shape and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.errors import DataError
from qbench.zoo.arrays import Arrays, Input
from qbench.zoo.own_data import Wanted, load_own
from qbench.zoo.preprocessing import Preprocessing

MLP = (Input("x", (20,)),)
SOUND = (Input("wave", (1, 400)),)
TEXT = (Input("ids", (7,), "int64"), Input("mask", (7,), "int64"))
GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.standard_normal((12, 20)).astype(np.float32)


def load(path: Path, inputs: tuple[Input, ...], arrays: dict[str, Any], **wanted: Any) -> Arrays:
    np.savez(path / "mine.npz", **arrays)
    found = load_own(str(path / "mine.npz"), Wanted(inputs, **wanted))
    assert isinstance(found, Arrays)
    return found


@pytest.mark.parametrize("name", ["x", "inputs", "images"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16", "uint8", "bool"])
def test_an_array_is_taken_as_it_is_in_the_type_of_the_input(tmp_path: Path, name: str, dtype: str) -> None:
    table = (TABLE * 50).clip(0, 200).astype(dtype)
    data = load(tmp_path, MLP, {name: table, "labels": np.arange(12) % 3}, calibration=0)
    np.testing.assert_array_equal(data.inputs(), table.astype(np.float32))
    assert (data.inputs().dtype, data.classes, data.sample_shape) == (np.float32, ("0", "1", "2"), (20,))


def test_some_are_set_apart_and_none_of_them_is_evaluated(tmp_path: Path) -> None:
    data = load(tmp_path, MLP, {"x": TABLE})
    assert (len(data), len(data.calibration), data.labelled) == (9, 3, False)
    rows = {row.tobytes() for row in data.inputs()} | {row.tobytes() for row in data.calibration_inputs(3, 0)}
    assert rows == {row.tobytes() for row in TABLE}
    brought = load(tmp_path, MLP, {"x": TABLE[:8], "calibration_x": TABLE[8:]})
    np.testing.assert_array_equal(brought.calibration, TABLE[8:])
    assert len(brought) == 8
    assert len(load(tmp_path, MLP, {"x": TABLE}, limit=4)) == 4


def test_sound_has_any_length_where_the_network_takes_any(tmp_path: Path) -> None:
    wave = GENERATOR.standard_normal((8, 1, 400)).astype(np.float32)
    assert load(tmp_path, SOUND, {"wave": wave}).sample_shape == (1, 400)
    assert load(tmp_path, (Input("wave", (1, -1)),), {"wave": wave[..., :99]}).sample_shape == (1, 99)


def test_several_inputs_lie_under_their_names(tmp_path: Path) -> None:
    ids, mask = GENERATOR.integers(0, 100, (8, 7)), np.ones((8, 7), np.int8)
    data = load(tmp_path, TEXT, {"mask": mask, "ids": ids, "labels": np.arange(8) % 2})
    assert [*data.parts] == ["ids", "mask"]
    assert {len(part) for part in data.parts.values()} == {6}
    assert {part.dtype for part in data.parts.values()} == {np.dtype("int64")}
    rows = {row.tobytes() for row in ids.astype(np.int64)}
    assert {row.tobytes() for row in data.parts["ids"]} | {row.tobytes() for row in data.apart["ids"]} == rows


def test_a_folder_of_arrays_is_a_file_of_them(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TABLE)
    np.save(tmp_path / "labels.npy", np.arange(12) % 2)
    data = load_own(str(tmp_path), Wanted(MLP, calibration=0))
    np.testing.assert_array_equal(data.inputs(), TABLE)
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"x.npy: expected an .npy file of one plain array"):
        load_own(str(tmp_path), Wanted(MLP))


def test_bytes_for_a_network_of_bytes_are_taken_as_they_are(tmp_path: Path) -> None:
    images = GENERATOR.integers(0, 256, (8, 3, 6, 6), dtype=np.uint8)
    takes = (Input("images", (3, 6, 6), "uint8"),)
    np.testing.assert_array_equal(load(tmp_path, takes, {"images": images}, calibration=0).inputs(), images)


BAD: dict[str, tuple[tuple[Input, ...], dict[str, Any]]] = {
    "expected arrays 'x' (n, 20) float32, and labels if there are any, got 'features' (12, 20) float32": (
        MLP, {"features": TABLE},
    ),
    "expected 'x' (n, 20) float32, got float32 (12, 19)": (MLP, {"x": TABLE[:, 1:]}),
    "expected 'x' (n, 20) float32, got <U1 (12, 20)": (MLP, {"x": np.full((12, 20), "a")}),
    "expected 'ids' (n, 7) int64, got float32": (TEXT, {"ids": TABLE[:, :7], "mask": np.ones((12, 7), int)}),
    "expected 'b' (n, 7) uint8, got numbers of -1..-1": (
        (Input("b", (7,), "uint8"),), {"b": np.full((4, 7), -1)},
    ),
    "expected arrays 'ids' (n, 7) int64, 'mask' (n, 7) int64": (TEXT, {"ids": np.ones((8, 7), int)}),
    "expected as many samples of every input, got {'ids': 8, 'mask': 7}": (
        TEXT, {"ids": np.ones((8, 7), int), "mask": np.ones((7, 7), int)},
    ),
    "calibration_mask is missing": (
        TEXT, {"ids": np.ones((8, 7), int), "mask": np.ones((8, 7), int), "calibration_ids": np.ones((8, 7), int)},
    ),
    "did you mean 'labels'?": (MLP, {"x": TABLE, "lables": np.arange(12)}),
    "expected 12 labels": (MLP, {"x": TABLE, "labels": np.arange(11)}),
    "expected labels up to 1,000,000, got 9": (MLP, {"x": TABLE, "labels": np.full(12, 9_000_000)}),
    "expected at least one sample, got none": (MLP, {"x": TABLE[:0], "calibration": TABLE}),
    "2 of 2 calibration samples are evaluation samples too": (MLP, {"x": TABLE, "calibration": TABLE[:2]}),
}  # fmt: skip


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path: Path, message: str) -> None:
    inputs, arrays = BAD[message]
    with pytest.raises(DataError) as refusal:
        load(tmp_path, inputs, arrays)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_pixels_words_go_with_pixels_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mean is for images of bytes"):
        load(tmp_path, MLP, {"x": TABLE}, how=Preprocessing(mean=(0.5,)))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("imags/", "found nothing there; did you mean '{0}/images'?"),
        ("none.npz", "none.npz: no such file"),
        ("nowhere/images/", "found nothing there; there is no folder {0}/nowhere"),
        ("one.zip", "expected a known name, an .npz file or a folder of images, got a file of .zip"),
    ],
)
def test_a_mistyped_path_is_answered_as_a_path(tmp_path: Path, word: str, message: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "one.zip").write_bytes(b"")
    with pytest.raises(DataError) as refusal:
        load_own(f"{tmp_path}/{word}", Wanted(MLP))
    assert message.format(tmp_path) in str(refusal.value)
    assert word in str(refusal.value)
