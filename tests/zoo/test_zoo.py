"""Names lead to networks and data; what has no name gets a suggestion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qbench.errors import DataError, ModelError
from qbench.zoo import DATASETS, MODELS, load_data, model_path
from qbench.zoo.built import BuiltModel
from qbench.zoo.cifar10 import CLASSES, MEAN, SHARD, STD
from qbench.zoo.public import NETWORKS
from qbench.zoo.recipes.make_shard import balanced_draw, first_of_each_class
from qbench.zoo.seeded import is_seeded


def test_every_packaged_network_has_its_file_data_and_summary() -> None:
    for name in MODELS:
        known = MODELS.load(name)
        assert known.data in DATASETS or is_seeded(known.data)
        assert known.summary
        if name in NETWORKS:  # tests/zoo/test_public.py
            continue
        if isinstance(known, BuiltModel):  # made or fetched on first use: not here
            assert known.name == name
            assert len(known.sha256) == 64
        else:
            assert model_path(name) == known.path
            assert known.path.is_file()


def test_path_of_a_file_is_a_network_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.touch()
    assert model_path(str(path)) == path


def test_unknown_network_gets_a_suggestion() -> None:
    with pytest.raises(
        ModelError, match="model 'resnet-20': no such file and no packaged network; did you mean 'resnet20'"
    ):
        model_path("resnet-20")


def test_unknown_data_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match=r"data 'cifar-10': .*did you mean 'cifar10'"):
        load_data("cifar-10")


def test_shard_is_balanced_disjoint_and_whole() -> None:
    data = load_data("cifar10-shard")
    facts = json.loads((SHARD / "cifar10_shard.json").read_text())
    assert (data.images.shape, data.calibration.shape) == ((2000, 32, 32, 3), (512, 32, 32, 3))
    assert np.bincount(data.labels).tolist() == [200] * 10
    assert set(np.bincount(facts["calibration_labels"]).tolist()) == {51, 52}
    assert facts["test_indices"] == sorted(facts["test_indices"])
    assert len(set(facts["calibration_indices"])) == 512
    assert (data.classes, data.mean, data.std) == (CLASSES, MEAN, STD)
    assert "Krizhevsky" in (SHARD / "NOTICE").read_text()


def test_shard_loads_the_same_every_time() -> None:
    assert load_data("cifar10-shard").sha256 == load_data("cifar10-shard").sha256


def test_shard_takes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is embedded and takes no folder"):
        load_data("cifar10-shard", folder=tmp_path)


@pytest.mark.parametrize("part", ["test", "calibration"])
def test_damaged_shard_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    for name in ("cifar10_shard_test.png", "cifar10_shard_calibration.png"):
        (tmp_path / name).write_bytes((SHARD / name).read_bytes())
    facts = json.loads((SHARD / "cifar10_shard.json").read_text())
    facts[f"{part}_labels"][7] ^= 1
    (tmp_path / "cifar10_shard.json").write_text(json.dumps(facts))
    monkeypatch.setattr("qbench.zoo.cifar10.SHARD", tmp_path)
    with pytest.raises(DataError, match=f"the embedded {part} images are damaged"):
        load_data("cifar10-shard")


def test_draws_of_the_shard_are_by_class_and_repeat() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 3000).astype(np.int64)
    picked = first_of_each_class(labels, 20)
    assert np.bincount(labels[picked]).tolist() == [20] * 10
    assert all((labels[: picked.max() + 1] == label).sum() >= 20 for label in range(10))
    allowed = np.ones(3000, bool)
    allowed[::2] = False
    drawn = balanced_draw(labels, 52, allowed=allowed, seed=3)
    assert np.bincount(labels[drawn]).tolist() == [6, 6] + [5] * 8
    assert allowed[drawn].all()
    np.testing.assert_array_equal(drawn, balanced_draw(labels, 52, allowed=allowed, seed=3))


def test_packaged_files_are_not_too_large() -> None:
    assert sum(path.stat().st_size for path in (*SHARD.iterdir(), model_path("resnet20"))) < 8e6
