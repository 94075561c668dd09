"""Seeded networks: the same bytes everywhere, activations in range to the end, the structure of their papers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qbench.engine import FloatSession
from qbench.graph import Clamp, Conv, Network, read_onnx
from qbench.zoo.networks import seeded
from qbench.zoo.networks.mobilenet_v2 import build
from qbench.zoo.networks.numbers import Numbers
from qbench.zoo.networks.resnet import basic, bottleneck, resnet
from qbench.zoo.smooth import load_32, smooth_images

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 1, 2))


def small(kind: str) -> bytes:
    if kind == "mobilenet":
        return build("small", STAGES, size=32, stem_stride=1, classes=10, seed=3)
    block = {"basic": basic, "bottleneck": bottleneck}[kind]
    return resnet("small", block, depths=(2, 2), widths=(16, 32), seed=3, size=32, classes=10)


def read(content: bytes, folder: Path) -> Network:
    (folder / "network.onnx").write_bytes(content)
    return read_onnx(folder / "network.onnx")


@pytest.mark.parametrize("kind", ["basic", "bottleneck", "mobilenet"])
def test_every_tensor_of_a_seeded_network_has_a_sensible_spread(kind: str, tmp_path: Path) -> None:
    network = read(small(kind), tmp_path)
    spreads: dict[str, float] = {}
    session = FloatSession(network, threads=1)
    logits = session.run(load_32().inputs(0, 16), tap=lambda name, values: spreads.update({name: float(values.std())}))
    assert len(spreads) > 8
    assert {name: spread for name, spread in spreads.items() if not 0.05 < spread < 5} == {}
    assert len(set(logits.argmax(axis=1).tolist())) > 2
    assert 0.3 < logits.std() < 10


def test_unequal_channels_leave_the_answers_as_they_are_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> Network:
        return read(build("small", STAGES, size=32, stem_stride=1, classes=10, seed=3, unequal=True), tmp_path)

    unequal = made()
    monkeypatch.setattr(seeded, "LARGEST_EXPONENT", 0)
    images, equal = load_32().inputs(0, 4), made()
    one, other = (FloatSession(network, threads=1).run(images) for network in (unequal, equal))
    np.testing.assert_array_equal(one, other)
    ranges = [np.abs(layer.weight.reshape(len(layer.weight), -1)).max(axis=1) for layer in unequal.layers]
    assert max(float(each.max() / each.min()) for each in ranges) > 64


def test_a_seeded_network_does_not_depend_on_the_threads_or_kernels_of_the_linear_algebra() -> None:
    code = (
        "import hashlib; from qbench.zoo.networks.mobilenet_v2 import build; "
        f"print(hashlib.sha256(build('small', {STAGES}, size=32, stem_stride=1, classes=10, seed=3)).hexdigest())"
    )
    found = {hashlib.sha256(small("mobilenet")).hexdigest()}
    for core in ("Haswell", "Prescott"):
        variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": core}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables)
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_another_seed_gives_another_network() -> None:
    parts = [build("small", STAGES[:1], size=32, stem_stride=2, classes=4, seed=seed) for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]


def test_a_residual_block_is_read_as_its_paper_draws_it(tmp_path: Path) -> None:
    network = read(small("bottleneck"), tmp_path)
    layers = {layer.name: layer for layer in network.layers}
    last = layers["layer1.0.conv3"]
    assert isinstance(last, Conv)
    assert (last.residual, last.activation) == ("layer1.0.downsample", Clamp(0.0, np.inf))
    assert layers["layer2.0.conv2"].weight.shape == (32, 32, 3, 3)
    assert [layer.name for layer in network.layers][-1] == "fc"
    assert network.metadata["weights"] == "seeded"


def test_an_inverted_residual_expands_by_six_and_ends_without_a_clamp(tmp_path: Path) -> None:
    network = read(small("mobilenet"), tmp_path)
    layers = {layer.name: layer for layer in network.layers if isinstance(layer, Conv)}
    wide, deep, thin = (layers[f"features.3.conv.{i}"] for i in range(3))
    assert wide.weight.shape == (144, 24, 1, 1)
    assert (deep.groups, deep.weight.shape, deep.activation) == (144, (144, 1, 3, 3), Clamp(0.0, 6.0))
    assert (thin.activation, thin.residual) == (None, "features.2.conv.2")


def test_numbers_are_normal_and_repeat_for_a_seed() -> None:
    first, again, other = (Numbers(seed).normal(100_000) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert abs(first.mean()) < 0.02
    assert abs(first.std() - 1) < 0.02
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.02
    assert Numbers(1).normal(3).tolist() == first[:3].tolist()


def test_smooth_images_are_distinct_fall_in_spectrum_and_carry_no_labels() -> None:
    images = smooth_images(6, size=64, seed=5)
    assert len({image.tobytes() for image in images}) == 6
    assert images.std() > 25
    power = (np.abs(np.fft.fft2(images[..., 1] - images[..., 1].mean())) ** 2).mean(axis=0)
    assert power[1, 1] > 10 * power[8, 8] > 10 * power[31, 31] / 2
    data = load_32()
    assert (len(data), len(data.calibration), data.labelled, data.labels.size) == (64, 64, False, 0)
    assert data.sample_shape == (3, 32, 32)
