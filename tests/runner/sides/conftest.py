"""Sides whose times are told, not measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qbench.runner.sides.side import Side

MakeSide = Callable[..., Side]


@pytest.fixture
def make_side(tmp_path: Path) -> MakeSide:
    """Return a side whose Python is a script that starts `fake_side.py` with its facts."""

    def make(name: str, rows: dict[str, float], **facts: Any) -> Side:
        told, script = tmp_path / f"{name}.json", tmp_path / f"{name}.sh"
        told.write_text(json.dumps({"rows": rows, **facts}), encoding="utf-8")
        script.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__).with_name("fake_side.py")}" "{told}"\n'
        )
        script.chmod(0o755)
        return Side(name, python=str(script))

    return make


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of three commits; the first one holds no qbench."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "someone")
        monkeypatch.setenv(f"{name}_EMAIL", "someone@example.com")
    run("init", "-q", "-b", "main")
    run("commit", "-q", "--allow-empty", "-m", "nothing")
    (tmp_path / "qbench").mkdir()
    for number in (1, 2):
        (tmp_path / "qbench" / "__init__.py").write_text(f"number = {number}\n")
        run("add", ".")
        run("commit", "-q", "-m", f"number {number}")
    return tmp_path


def run(*words: str) -> None:
    subprocess.run(["git", *words], check=True)
