"""Packaged suites have names that work anywhere; a file is always the file that was named."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from qbench.errors import SuiteError
from qbench.suite import find_suite, load_suite, packaged_suites
from qbench.zoo import MODELS

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "suites").glob("*.yaml"))


def test_every_suite_of_the_repository_has_a_name_that_no_network_has() -> None:
    assert list(packaged_suites()) == NAMES
    assert not set(NAMES) & set(MODELS)


def test_a_name_means_the_packaged_suite_and_a_path_means_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_suite(Path("resnet_full")).sha256 == load_suite(ROOT / "suites" / "resnet_full.yaml").sha256
    (tmp_path / "tiny").mkdir()
    assert find_suite(Path("tiny")) == packaged_suites()["tiny"]
    assert find_suite(Path("suites/tiny.yaml")) == Path("suites/tiny.yaml")
    with pytest.raises(SuiteError, match=r"resnett: expected a suite's file .* name; did you mean 'resnet'"):
        load_suite(Path("resnett"))
    with pytest.raises(SuiteError, match=r"suites/tiny\.yaml"):
        load_suite(Path("suites/tiny.yaml"))


@pytest.mark.parametrize("words", [("list", "suites"), ("plan", "kernels_tiny"), ("run", "--help")])
def test_the_module_is_the_command_and_knows_the_suites_from_any_folder(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qbench", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=_environment())
    assert done.returncode == 0, done.stderr
    assert {"list": "resnet_full", "plan": "11 rows: ", "run": "qbench list suites"}[words[0]] in done.stdout


def test_what_is_built_holds_every_suite_and_its_schema(tmp_path: Path) -> None:
    setuptools = pytest.importorskip("setuptools", reason="what builds wheels is not installed")
    names = runpy.run_path(str(ROOT / "setup.py"))
    command = names["BuildWithSuites"](setuptools.Distribution({"name": "qbench", "packages": []}))
    command.build_lib, command.editable_mode = str(tmp_path), False
    command.finalize_options()
    command.run()
    held = {path.name for path in (tmp_path / "qbench" / "suites").iterdir()}
    assert held == {f"{name}.yaml" for name in NAMES} | {"suite.schema.json", "kernels.schema.json"}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
