"""A data set is checked when it is made; its inputs are what the network was trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qbench.errors import DataError
from qbench.zoo import Dataset
from qbench.zoo.dataset import normalized


def dataset(**changes: Any) -> Dataset:
    generator = np.random.default_rng(0)
    facts: dict[str, Any] = {
        "name": "toy",
        "images": generator.integers(0, 256, (20, 4, 6, 3), dtype=np.uint8),
        "labels": np.arange(20, dtype=np.int64) % 3,
        "calibration": generator.integers(0, 256, (8, 4, 6, 3), dtype=np.uint8),
        "classes": ("a", "b", "c"),
        "mean": (0.1, 0.2, 0.3),
        "std": (0.5, 0.25, 0.2),
    }
    return Dataset(**{**facts, **changes})


def test_inputs_are_normalized_images_channels_first() -> None:
    data = dataset()
    found = data.inputs(3, 9)
    expected = (data.images[3:9].astype(np.float64) / 255 - data.mean) / data.std
    assert found.dtype == np.float32
    assert (found.shape, found.flags.c_contiguous) == ((6, 3, 4, 6), True)
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), rtol=1e-6, atol=1e-7)
    assert len(data.inputs()) == len(data) == 20


def test_calibration_draw_repeats_for_a_seed_and_changes_with_it() -> None:
    data = dataset()
    first, again, other = (data.calibration_indices(4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert len(set(first.tolist())) == 4
    assert list(first) == sorted(first)
    assert list(first) != list(other)
    np.testing.assert_array_equal(data.calibration_inputs(8, 5), normalized(data.calibration, data.mean, data.std))


@pytest.mark.parametrize("count", [0, -1, 9])
def test_calibration_draw_of_too_many_is_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"expected 1..8 calibration samples, got {count}"):
        dataset().calibration_inputs(count, 0)


def test_hash_sees_every_part() -> None:
    data = dataset()
    others = [
        dataset(images=data.images[::-1]),
        dataset(labels=data.labels[::-1].copy()),
        dataset(calibration=data.calibration[:5]),
        dataset(mean=(0.1, 0.2, 0.4)),
    ]
    assert len({data.sha256, *(other.sha256 for other in others)}) == 5
    assert data.sha256 == dataset().sha256 == replace(data, name="other").sha256


BAD: dict[str, dict[str, Any]] = {
    "expected images as uint8 \\(n, h, w, c\\), got float32": {"images": np.zeros((20, 4, 6, 3), np.float32)},
    "expected images as uint8 \\(n, h, w, c\\), got uint8 \\(20, 72\\)": {"images": np.zeros((20, 72), np.uint8)},
    "expected at least one image": {"images": np.zeros((0, 4, 6, 3), np.uint8), "labels": np.zeros(0, np.int64)},
    "expected 20 labels, one per image, got 19": {"labels": np.zeros(19, np.int64)},
    "expected labels as int64 \\(n,\\), got float64": {"labels": np.zeros(20)},
    "expected labels in 0..2, got 0..3": {"labels": np.arange(20, dtype=np.int64) % 4},
    "expected labels in 0..2, got -1..-1": {"labels": np.full(20, -1, np.int64)},
    "expected calibration of shape \\(4, 6, 3\\) as the images": {"calibration": np.zeros((2, 6, 4, 3), np.uint8)},
    "expected mean and std of 3 channels, got 1 and 3": {"mean": (0.5,)},
    "expected finite means and positive stds": {"mean": (0.5, float("nan"), 0.5)},
    "positive stds, got": {"std": (0.5, 0.0, 0.5)},
}


@pytest.mark.parametrize("message", BAD)
def test_parts_that_do_not_fit_are_refused(message: str) -> None:
    with pytest.raises(DataError, match=f"data 'toy': .*{message}") as caught:
        dataset(**BAD[message])
    assert "\n" not in str(caught.value)


def test_calibration_images_that_are_evaluated_too_are_refused() -> None:
    data = dataset()
    with pytest.raises(DataError, match="2 of 3 calibration images are evaluation images too"):
        dataset(calibration=np.stack([data.images[4], data.calibration[0], data.images[9]]))
