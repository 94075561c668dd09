"""Seeded inputs have the shape and type that their name tells, and fit a network of these inputs only."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.errors import DataError
from qbench.zoo import load_data
from qbench.zoo.arrays import Input
from qbench.zoo.own_data import Wanted, load_own
from qbench.zoo.seeded import CALIBRATION, EVALUATED, KINDS, load_seeded, parts_of

EXAMPLES = {
    "images": ("3x32x24", np.float32), "bgr": ("32x32x3", np.float32), "page": ("3x40x64", np.float32),
    "normal": ("2x5", np.float32), "sound": ("400x1", np.float32), "ids": ("20", np.int64), "bytes": ("9", np.int32),
    "ones": ("7", np.int64), "zeros": ("2", np.float32),
}  # fmt: skip


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_shape_and_type_the_same_each_time(kind: str) -> None:
    text, dtype = EXAMPLES[kind]
    name = f"seeded:some:0={text}:{kind}{9 if kind == 'ids' else ''},other=-:normal"
    part, _ = parts_of(name)
    first, again = load_seeded(name), load_seeded(name)
    array = first.parts["some:0"]
    assert array.dtype == dtype
    assert array.shape == (EVALUATED, *part.shape)
    assert len(first.calibration) == CALIBRATION
    assert np.isfinite(array).all()
    assert first.sha256 == again.sha256
    if kind not in ("ones", "zeros"):
        assert array.std() > 0


def test_ids_stay_below_the_number_behind_them() -> None:
    ids = load_seeded("seeded:ids=50:ids11").parts["ids"]
    assert (ids.min(), ids.max()) == (0, 10)


def test_pictures_are_the_same_in_either_order_of_axes() -> None:
    first, last = (load_seeded(f"seeded:x={shape}:images").parts["x"] for shape in ("3x32x32", "32x32x3"))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)


def test_channels_move_to_the_front_where_the_network_was_read_so() -> None:
    last, first = load_seeded("seeded:x=32x64x3:bgr"), load_seeded("seeded:x=32x64x3:bgr", (Input("x", (3, 32, 64)),))
    np.testing.assert_array_equal(last.parts["x"].transpose(0, 3, 1, 2), first.parts["x"])


def test_several_inputs_come_in_the_network_s_order() -> None:
    inputs = (Input("mask", (6,), "int64"), Input("ids", (6,), "int64"))
    data = load_own("seeded:ids=6:ids9,mask=6:ones", Wanted(inputs))
    assert list(data.parts) == ["mask", "ids"]  # type: ignore[union-attr]
    assert len(data.calibration) == CALIBRATION


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seeded:x", r"expected seeded:NAME=3x224x224:KIND,\.\.\., got 'x'"),
        ("seeded:", r"expected seeded:NAME"),
        ("seeded:x=3x8x8:image", "unknown kind 'image'; did you mean 'images'"),
        ("seeded:x=0x8:normal", "expected 1..100,000,000 numbers a sample, got 0x8"),
        ("seeded:x=99999x99999:normal", "expected 1..100,000,000 numbers a sample"),
        ("seeded:x=5x8x8:images", "input 'x': expected images of 1 or 3 channels"),
        ("seeded:x=8:page", "input 'x': expected images"),
    ],
)
def test_a_name_that_cannot_be_made_is_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_data(name)
    assert "\n" not in str(caught.value)


def test_data_of_another_input_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected arrays 'y' \(n, 4\) float32"):
        load_own("seeded:x=4:normal,z=4:normal", Wanted((Input("y", (4,)),)))
