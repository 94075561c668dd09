"""A network that is made on first use is made once, is what its hash says, and mends a damaged cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.errors import ModelError
from qbench.zoo import MODELS
from qbench.zoo.built import BuiltModel

MADE: list[int] = []


def make() -> bytes:
    """Be a builder."""
    MADE.append(1)
    return b"a network"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuiltModel:
    MADE.clear()
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    digest = hashlib.sha256(b"a network").hexdigest()
    return BuiltModel("made", f"{__name__}:make", digest, "smooth-32", "A network")


def test_it_is_made_once_and_kept_under_its_hash(model: BuiltModel, tmp_path: Path) -> None:
    first = model.path
    assert model.path == first == tmp_path / "models" / model.sha256[:12] / "made.onnx"
    assert first.read_bytes() == b"a network"
    assert len(MADE) == 1


def test_a_damaged_file_is_made_anew(model: BuiltModel) -> None:
    model.path.write_bytes(b"a netw0rk")
    assert model.path.read_bytes() == b"a network"
    assert len(MADE) == 2


def test_another_network_than_the_known_one_is_refused_and_not_kept(model: BuiltModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model 'made': expected sha256 000000000000\.\.\., built "):
        _ = replace(model, sha256="0" * 64).path
    assert list(tmp_path.rglob("*.onnx")) == []


def test_a_cache_that_cannot_be_written_is_one_clear_line(
    model: BuiltModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="cannot be written") as caught:
        _ = model.path
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("-seeded")])
def test_every_seeded_network_has_the_hash_that_it_is_known_by(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    assert MODELS.load(name).path.is_file()


def test_the_small_seeded_network_has_the_hash_that_it_is_known_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    assert MODELS.load("mobilenet_v2_32-seeded").path.is_file()
