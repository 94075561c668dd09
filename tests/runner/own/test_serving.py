"""What is kept for a program that serves a network: images as they were scored, classes, and whose file it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

import qbench
from qbench.errors import DataError, ModelError, QBenchError
from qbench.runner.own.once import quantize_asked
from qbench.runner.own.request import Asked, prepare
from qbench.runner.own.serving import NAME, ServedNetwork


@pytest.fixture(scope="module")
def asked(suite_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("classes")
    for index in range(24):
        pixels = np.random.default_rng(index).integers(0, 256, (14, 20, 3), dtype=np.uint8)
        (folder / "ab"[index % 2]).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / "ab"[index % 2] / f"{index:02}.png")
    return Asked(
        str(suite_path.parent / "small.onnx"), data=str(folder), calibration=8, mean=0.4, std=(0.2, 0.25, 0.3),
        resize=(12,), threads=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def out(asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    quantize_asked(asked, folder, timed=False)
    return folder


def test_images_from_files_are_those_that_were_scored(asked: Asked, out: Path) -> None:
    network = qbench.load(out)
    assert network.classes == ("a", "b")
    _, bench = prepare(asked, timed=False)
    scored = {image.tobytes() for image in bench.inputs}
    found = network.preprocess(sorted(Path(asked.data).glob("*/*.png")))
    assert found.shape == (24, *network.quantized.network.shapes[network.quantized.network.input])
    assert found.dtype == np.float32
    assert len({image.tobytes() for image in found} & scored) == len(scored) == 16


def test_pixels_are_prepared_as_files_are(asked: Asked, out: Path) -> None:
    network, path = qbench.load(out), next(Path(asked.data).glob("*/*.png"))
    with Image.open(path) as image:
        pixels = np.asarray(image)
    expected = network.preprocess(path)
    for same in (pixels, [pixels], pixels[None], str(path)):
        assert np.array_equal(network.preprocess(same), expected)
    assert network.preprocess([]).shape == (0, *expected.shape[1:])
    for odd in (pixels.astype(np.float32), pixels[..., :2], pixels[..., 0], np.empty((0, 4, 3), np.uint8)):
        with pytest.raises(DataError, match=r"image 0: expected a path, or pixels as uint8 \(h, w, 3\), got"):
            network.preprocess(odd)


def test_a_session_serves_several_threads(asked: Asked, out: Path) -> None:
    network, answers = qbench.load(out), {}
    images = network.preprocess(sorted(Path(asked.data).glob("*/*.png")))
    with network.session(threads=1) as session:
        expected = session.run(images)

        def answer(place: int) -> None:
            answers[place] = session.run(images[place : place + 1])

        threads = [Thread(target=answer, args=(place,)) for place in range(len(images))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert np.array_equal(np.concatenate([answers[place] for place in range(len(images))]), expected)


def changed(**values: Any) -> Callable[[Path], object]:
    def change(path: Path) -> object:
        return path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(network="0" * 64), "of another network: its hash is not that of network.json"),
        (changed(version=2), "damaged at 'version'"),
        (changed(mean=[0.5]), "expected mean and std of 3 channels, got 1 and 3"),
        (changed(mean=[50.0, 0, 0]), "expected mean and std on a scale of 0 to 1"),
        (changed(resize=[0]), "resize: expected one number of pixels"),
        (changed(dtype="complex64"), "damaged at 'dtype'"),
        (changed(height=0), "damaged at 'height'"),
        (lambda path: path.write_bytes(b"\xff"), "damaged"),
    ],
)
def test_a_file_that_cannot_be_is_one_line(out: Path, change: Callable[[Path], object], reason: str) -> None:
    path = out / NAME
    before = path.read_bytes()
    change(path)
    try:
        with pytest.raises(ModelError, match=NAME) as caught:
            qbench.load(out)
    finally:
        path.write_bytes(before)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_networks_without_the_file_still_load_and_say_so(out: Path) -> None:
    (out / NAME).rename(out / "away")
    try:
        network = qbench.load(out)
    finally:
        (out / "away").rename(out / NAME)
    assert isinstance(network, ServedNetwork)
    assert network.classes == ()
    with pytest.raises(QBenchError, match=r"expected serving.json beside the network, found none"):
        network.preprocess([])
