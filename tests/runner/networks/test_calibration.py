"""Calibration samples come from the data, from noise, from the network's batch norms, or from nowhere."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.errors import UnsuitableError
from qbench.graph import read_onnx
from qbench.graph.readers import read_norms
from qbench.runner.networks.calibration import Calibration
from qbench.zoo.arrays import Arrays
from qbench.zoo.dataset import Dataset
from qbench.zoo.noise import noise

DRAW = np.random.default_rng(0)
PIXELS = DRAW.integers(0, 256, (20, 6, 6, 3), np.uint8)
DATA = Dataset("d", PIXELS, np.zeros(0, np.int64), PIXELS[:0], (), (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.fixture(scope="module")
def normed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of conv, norm, relu, conv, norm, a sum of both and a relu, with the norms spelled out."""
    held = {f"w{i}": DRAW.standard_normal((4, 3 + i, 3, 3)) * 0.3 for i in range(2)}
    held |= {f"{what}{i}": DRAW.random(4) + 0.5 for i in range(2) for what in ("scale", "bias", "mean", "var")}
    norm = [[f"{word}{i}" for word in ("scale", "bias", "mean", "var")] for i in range(2)]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c0", *norm[0]], ["n0"]),
        helper.make_node("Relu", ["n0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c1", *norm[1]], ["n1"]),
        helper.make_node("Add", ["n1", "r0"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    kept = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in held.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", c, 6, 6]) for n, c in (("x", 3), ("y", 4))]
    graph = helper.make_graph(nodes, "normed", ends[:1], ends[1:], kept)
    path = tmp_path_factory.mktemp("normed") / "normed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def calibration(path: Path, data: Dataset | Arrays = DATA) -> Calibration:
    return Calibration(read_onnx(path), data, 1, partial(read_norms, path))


def test_norms_are_read_beside_a_network_that_shows_what_they_write(normed: Path) -> None:
    found, plain = read_norms(normed), read_onnx(normed)
    assert found is not None
    assert [*found.norms] == ["n0", "n1"]
    x = DRAW.standard_normal((2, 3, 6, 6), np.float32)
    with FloatSession(plain, threads=1) as one, FloatSession(found.network, threads=1) as other:
        shown = dict(zip(found.network.outputs, other.run_all(x), strict=True))
        np.testing.assert_allclose(shown["y"], one.run(x).reshape(shown["y"].shape), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(shown["y"], np.maximum(shown["n1"] + np.maximum(shown["n0"], 0), 0), atol=1e-5)


def test_noise_has_the_datas_normalization_and_a_draw_of_its_own(normed: Path) -> None:
    made = calibration(normed)
    found = np.asarray(made.observations(200, 0, "noise").samples())
    assert (found.shape, found.dtype) == ((200, 3, 6, 6), np.float32)
    np.testing.assert_allclose(found.mean(axis=(0, 2, 3)), 0, atol=0.15)
    assert np.all(found.std(axis=(0, 2, 3)) > 0.8)  # the tails beyond black and white are cut off
    levels = found.transpose(0, 2, 3, 1) * DATA.std + DATA.mean
    assert levels.min() > -1e-6
    assert levels.max() < 1 + 1e-6
    np.testing.assert_array_equal(found, made.noise(200, 0))
    assert not np.array_equal(found, made.noise(200, 1))


def test_noise_of_whole_numbers_is_refused(normed: Path) -> None:
    ids = Arrays("ids", {"x": np.ones((3, 4), np.int64)}, np.zeros(0, np.int64), {"x": np.ones((0, 4), np.int64)})
    with pytest.raises(UnsuitableError, match="data 'ids': expected floats to draw noise like, got int64 of 'x'"):
        noise(ids, 2, seed=0)


def test_nothing_gives_no_samples(normed: Path) -> None:
    with pytest.raises(UnsuitableError, match="source 'none': the recipe asks for calibration samples"):
        calibration(normed).observations(0, 0, "none").stats()


def test_a_file_without_norms_says_so() -> None:
    path = Path(__file__).parents[2] / "golden" / "small.onnx"
    with pytest.raises(UnsuitableError, match="keeps no batch norms: they were folded before its file was written"):
        calibration(path).learned(4, 0)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed (extra train)")
def test_learned_images_agree_with_the_norms_better_than_noise_or_the_data(normed: Path) -> None:
    made, found = calibration(normed), read_norms(normed)
    assert found is not None

    def apart(images: Floats) -> float:
        with FloatSession(found.network, threads=1) as session:
            shown = dict(zip(found.network.outputs, session.run_all(images), strict=True))
        means = [np.square(shown[name].mean(axis=(0, 2, 3)) - norm.mean) for name, norm in found.norms.items()]
        spreads = [np.square(shown[name].std(axis=(0, 2, 3)) - norm.deviation) for name, norm in found.norms.items()]
        return float(np.mean(means) + np.mean(spreads))

    learned = np.asarray(made.learned(16, 0))
    assert apart(learned) < 0.7 * min(apart(np.asarray(made.noise(16, 0))), apart(np.asarray(DATA.inputs())))
    np.testing.assert_array_equal(learned, made.learned(16, 0))
