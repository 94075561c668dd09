"""The user's own .npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.errors import DataError
from qbench.zoo import load_data

IMAGES = np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3)
LABELS = np.asarray([0, 1, 2, 1, 0], dtype=np.int32)


def test_images_and_labels_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    data = load_data(str(path))
    assert data.classes == ("0", "1", "2")
    assert data.labels.dtype == np.int64
    assert data.calibration.shape == (0, 2, 2, 3)
    np.testing.assert_allclose(data.inputs()[:, 1], IMAGES[..., 1] / 255, rtol=1e-6)
    with pytest.raises(DataError, match="calibration samples"):
        data.calibration_inputs(1, 0)


def test_all_parts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez_compressed(
        path, images=IMAGES, labels=LABELS, calibration=255 - IMAGES, classes=np.asarray(["a", "b", "c", "d"]),
        mean=np.asarray([0.5, 0.5, 0.5]), std=np.asarray([0.2, 0.2, 0.25]),
    )  # fmt: skip
    data = load_data(str(path))
    assert (data.classes, data.mean, data.std) == (("a", "b", "c", "d"), (0.5, 0.5, 0.5), (0.2, 0.2, 0.25))
    assert data.calibration_inputs(5, 0).shape == (5, 3, 2, 2)


BAD: dict[str, dict[str, Any]] = {
    "missing \\['labels'\\]": {"images": IMAGES},
    "unknown \\['lables'\\]": {"images": IMAGES, "labels": LABELS, "lables": LABELS},
    "expected images as uint8": {"images": IMAGES.astype(np.float32), "labels": LABELS},
    "expected images as uint8 \\(n, h, w, c\\), got uint8 \\(5, 12\\)": {
        "images": IMAGES.reshape(5, -1),
        "labels": LABELS,
    },
    "expected labels as whole numbers": {"images": IMAGES, "labels": LABELS.astype(np.float64)},
    "expected 5 labels, one per image, got 4": {"images": IMAGES, "labels": LABELS[:4]},
    "expected labels in 0..2, got -1..2": {"images": IMAGES, "labels": LABELS - (LABELS == 0)},
    "expected calibration as uint8": {"images": IMAGES, "labels": LABELS, "calibration": IMAGES.astype(np.int16)},
    "expected classes as text": {"images": IMAGES, "labels": LABELS, "classes": np.arange(3)},
    "expected mean as numbers": {"images": IMAGES, "labels": LABELS, "mean": np.asarray(["a"])},
    "expected finite means": {"images": IMAGES, "labels": LABELS, "mean": np.asarray([0.1, np.nan, 0.1])},
    "expected an .npz file of plain arrays": {"images": np.asarray([{"an": "object"}]), "labels": LABELS},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_parts_are_refused(tmp_path: Path, message: str) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **BAD[message])
    with pytest.raises(DataError, match=message) as caught:
        load_data(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_foreign_and_truncated_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with pytest.raises(DataError, match="no such file"):
        load_data(str(path))
    np.savez(path, images=IMAGES, labels=LABELS)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:-100], whole[:200], b"\x93NUMPY" + whole[6:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged or foreign"):
            load_data(str(path))
    np.save(tmp_path / "one.npz.npy", IMAGES)
    (tmp_path / "one.npz.npy").rename(path)
    with pytest.raises(DataError, match="damaged or foreign"):
        load_data(str(path))
