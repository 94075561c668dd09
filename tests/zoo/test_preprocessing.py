"""Scaling, cutting and normalization of the user's own images, and images of other kinds than 8-bit colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from qbench.errors import DataError
from qbench.zoo.arrays import Input
from qbench.zoo.own_data import Wanted, load_own
from qbench.zoo.pixels import read_images
from qbench.zoo.preprocessing import Preprocessing

COLOUR, GREY = (3, 8, 8), (1, 8, 8)


def saved(path: Path, pixels: npt.NDArray[np.generic]) -> list[Path]:
    Image.fromarray(pixels).save(path)
    return [path]


def test_numbers_on_a_scale_of_255_are_refused_with_the_right_ones() -> None:
    with pytest.raises(DataError) as refusal:
        Preprocessing(mean=(127.5, 127.5, 127.5), std=(58.0, 57.0, 57.0))
    assert "got mean 127.5,127.5,127.5 and std 58,57,57; divided by 255: mean 0.5,0.5,0.5" in str(refusal.value)
    with pytest.raises(DataError, match=r"divided by 255: std 0.2275"):
        Preprocessing(std=(58.0,))
    with pytest.raises(DataError, match=r"std 0.003922"):
        Preprocessing(mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"mean": (float("nan"),)}, "expected finite means"),
        ({"std": (0.0,)}, "positive stds"),
        ({"resize": (0,)}, "resize: expected one number of pixels, or height and width, got 0"),
        ({"crop": (1, 2, 3)}, "crop: expected one number of pixels, or height and width, got 1, 2, 3"),
        ({"crop": ()}, "got nothing"),
    ],
)
def test_what_is_no_preprocessing_is_refused(words: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Preprocessing(**words)  # type: ignore[arg-type]


def test_python_takes_numbers_lists_and_arrays() -> None:
    found = Preprocessing.of(mean=np.array([0.5, 0.25]), std=0.5, resize=256, crop=[224, 200])
    assert found == Preprocessing((0.5, 0.25), (0.5,), (256,), (224, 200))
    assert found.channels("std", 3) == (0.5, 0.5, 0.5)
    assert found.given == ("mean", "std", "resize", "crop")
    for wrong in ("a", [[1.0]], [], {}):
        with pytest.raises(DataError, match="mean: expected a number"):
            Preprocessing.of(mean=wrong)
    with pytest.raises(DataError, match="crop: expected one whole number"):
        Preprocessing.of(crop=1.5)


def test_the_middle_is_cut_out_of_what_was_scaled(tmp_path: Path) -> None:
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 24:40] = 200  # the middle quarter
    paths = saved(tmp_path / "wide.png", pixels)
    plain = read_images(paths, shape=COLOUR)
    assert (plain[0, 4, 0, 0], plain[0, 4, 4, 0]) == (0, 200)  # 8 x 16, of which the middle 8
    cut = read_images(paths, shape=COLOUR, how=Preprocessing(crop=(16,)))
    assert cut.min() == 200  # 16 x 16 out of the file, scaled to 8 x 8
    small = read_images(paths, shape=COLOUR, how=Preprocessing(resize=(8,)))
    assert np.abs(small.astype(int) - plain).max() <= 1
    exact = read_images(paths, shape=COLOUR, how=Preprocessing(resize=(8, 8)))
    assert (exact[0, 4, 0, 0], exact[0, 4, 4, 0] > 150, exact[0, 4, 7, 0]) == (0, True, 0)
    with pytest.raises(DataError, match="out of which 8 x 8 can be cut, got 4 x 8"):
        read_images(paths, shape=COLOUR, how=Preprocessing(resize=(4,)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("shape", [COLOUR, GREY])
def test_grey_images_of_16_bits_keep_their_greys(tmp_path: Path, suffix: str, shape: tuple[int, int, int]) -> None:
    levels = np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8)
    found = read_images(saved(tmp_path / f"deep.{suffix}", levels), shape=shape)
    np.testing.assert_array_equal(found[0, ..., 0], np.round(levels / 257))


def test_colours_of_16_bits_keep_their_levels(tmp_path: Path) -> None:
    import struct
    import zlib

    levels = np.linspace(0, 65_535, 192).astype(">u2").reshape(8, 8, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    found = read_images([tmp_path / "deep.png"], shape=COLOUR)
    assert np.abs(found[0].astype(float) - levels / 257.0).max() <= 1


def test_images_of_floats_and_of_wider_numbers_are_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"float.tif: expected an image of whole numbers, got one of floats"):
        read_images(saved(tmp_path / "float.tif", np.zeros((8, 8), np.float32)), shape=GREY)
    wide = saved(tmp_path / "wide.tif", np.full((8, 8), 70_000, np.int32))
    with pytest.raises(DataError, match=r"wide.tif: expected numbers of 8 or 16 bits, got 70000..70000"):
        read_images(wide, shape=GREY)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "int32", "float32"])
@pytest.mark.parametrize("last", [False, True])
def test_a_network_gets_the_type_and_the_order_that_it_takes(tmp_path: Path, dtype: str, last: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        saved(tmp_path / f"{index}.png", image)
    shape = (8, 8, 3) if last else COLOUR
    found = load_own(str(tmp_path), Wanted((Input("x", shape, dtype),), calibration=0)).inputs()
    expected = pixels if last else pixels.transpose(0, 3, 1, 2)
    assert (found.shape, found.dtype) == (expected.shape, np.dtype(dtype))
    scale = 255 if np.dtype(dtype).kind == "f" else 1
    np.testing.assert_allclose(found.astype(np.float64) * scale, expected, atol=0.13)
    if scale == 1:
        with pytest.raises(DataError, match="takes pixels as they are"):
            load_own(str(tmp_path), Wanted((Input("x", shape, dtype),), how=Preprocessing(mean=(0.5,))))


def test_folders_of_systems_and_hidden_ones_are_no_classes_and_empty_ones_keep_their_number(tmp_path: Path) -> None:
    for name in (".ipynb_checkpoints", "__MACOSX", "ant", "bee", "cat"):
        (tmp_path / name).mkdir()
    for index, name in enumerate((".ipynb_checkpoints", "bee", "bee", "cat", "cat", "cat")):
        saved(tmp_path / name / f"{index}.png", np.full((8, 8, 3), index, np.uint8))
    (tmp_path / "bee" / "7.heic").write_bytes(b"")
    (tmp_path / "bee" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "cat" / "more").mkdir()
    saved(tmp_path / "cat" / "more" / "8.jpg", np.zeros((8, 8, 3), np.uint8))
    data = load_own(str(tmp_path), Wanted((Input("x", COLOUR),), calibration=0))
    assert data.classes == ("ant", "bee", "cat")
    assert data.labels.tolist() == [1, 1, 2, 2, 2]
    unread, empty = data.remarks  # type: ignore[attr-defined]
    assert unread.startswith("3 files look like images and are not read (.heic, .jpg, .png)")
    assert empty == "1 of 3 class folders hold no images and keep their numbers: ant"


def test_images_that_lie_a_folder_too_deep_are_found_for_the_message(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    saved(tmp_path / "train" / "cat" / "0.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"found none; there are some in .*train/cat: give .*/train"):
        load_own(str(tmp_path), Wanted((Input("x", COLOUR),)))


def test_images_of_a_file_are_cut_and_normalized_by_the_same_words(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 12, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(6))
    how = Preprocessing(mean=(0.5,), std=(0.5,), crop=(8,))
    data = load_own(str(tmp_path / "mine.npz"), Wanted((Input("x", COLOUR),), calibration=0, how=how))
    expected = images[:, 6:14, 2:10].transpose(0, 3, 1, 2) / 127.5 - 1
    np.testing.assert_allclose(data.inputs(), expected, atol=1e-6)
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(6), mean=np.full(3, 0.5), std=np.full(3, 0.5))
    with pytest.raises(DataError, match="it has its own mean"):
        load_own(str(tmp_path / "mine.npz"), Wanted((Input("x", COLOUR),), how=how))


def test_images_that_are_scaled_up_are_told(tmp_path: Path) -> None:
    for index in range(4):
        saved(tmp_path / f"{index}.png", np.full((6, 30, 3), index, np.uint8))
    data = load_own(str(tmp_path), Wanted((Input("x", COLOUR),), calibration=0))
    assert data.remarks == ("4 of 4 images are smaller than the 8 x 8 that the network takes",)  # type: ignore[attr-defined]
    assert load_own(str(tmp_path), Wanted((Input("x", (3, 6, 6)),), calibration=0)).remarks == ()  # type: ignore[attr-defined]
