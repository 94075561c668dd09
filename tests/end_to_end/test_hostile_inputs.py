"""Mutated suites, saved networks, `.npz` files and folders of images: each is read, or refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from qbench.core.formats import Uniform
from qbench.core.granularity import PerChannel, PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import QParams, QTensor
from qbench.engine.saved.network import save_network
from qbench.graph import Layer, QuantizedNetwork, write_onnx
from tests.end_to_end import hostile_inputs as hostile
from tests.runner.conftest import SUITE, small_network

README = Path(__file__).parents[2] / "suites" / "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, generator = tmp_path_factory.mktemp("hostile"), np.random.default_rng(1)
    write_onnx(small_network(), path / "small.onnx")
    images, apart = (generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8) for count in (40, 8))
    np.savez(path / "small.npz", images=images, labels=np.arange(40) % 4, calibration=apart)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved network of which every layer and tensor has made-up codes."""
    network, generator, path = small_network(), np.random.default_rng(2), tmp_path_factory.mktemp("saved")
    spec, one = QuantSpec(Uniform(4), PerChannel()), np.float32(0.1)
    weights = {}
    for layer in network.layers:
        assert isinstance(layer, Layer)
        shape = (len(layer.weight), layer.weight[0].size)
        zeros = np.zeros(shape[0], np.float32)
        weights[layer.name] = QTensor(
            generator.integers(-7, 8, shape).astype(np.int16), QParams(spec, zeros + one, zeros)
        )
    eight = QuantSpec(Uniform(8), PerTensor())
    params = QParams(eight, np.asarray(one), np.asarray(np.float32(0)))
    names = ("images", "first", "second", "pooled", "flat")
    save_network(path, QuantizedNetwork(network, weights, dict.fromkeys(names, params)), facts={"model": "small"})
    return path


def _texts() -> list[str]:
    text = README.read_text(encoding="utf-8")
    whole = [example for example in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "base:" not in example]
    head = "name: a\nmodel: small.onnx\ndata: small.npz\n"
    known = [re.sub("data: .*", "data: small.npz", re.sub("model: .*", "model: small.onnx", one)) for one in whole]
    return [SUITE, *(one if "model:" in one else head + one for one in known)]


def test_suites(folder: Path) -> None:
    texts = _texts()
    lines = [
        hostile.attempt(hostile.suite(np.random.default_rng(seed), texts[seed % len(texts)], folder))
        for seed in range(80)
    ]
    assert 0 < sum(not line for line in lines) < len(lines)


def test_saved_networks(saved: Path, folder: Path) -> None:
    lines = [hostile.attempt(hostile.saved(np.random.default_rng(seed), saved, folder)) for seed in range(60)]
    assert 10 < sum(not line for line in lines) < len(lines)


@pytest.mark.parametrize("make", [hostile.arrays, hostile.images])
def test_data(make: hostile.MakeData, folder: Path) -> None:
    lines = [hostile.attempt(make(np.random.default_rng(seed), folder)) for seed in range(150)]
    assert 10 < sum(not line for line in lines) < len(lines)
    assert len({line.partition(": ")[2][:25] for line in lines}) > 5
