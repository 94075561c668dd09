"""Words that mean a side: folders, environments, commits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qbench.runner.sides.side import SideError, commits_between, open_side, subject_of


def test_a_commit_is_checked_out_as_long_as_it_is_open(repository: Path) -> None:
    with open_side("main~1") as side:
        assert side.sources is not None
        assert (side.sources / "qbench" / "__init__.py").read_text() == "number = 1\n"
        assert side.name.startswith("main~1 (")
        assert side.environment["PYTHONPATH"].split(os.pathsep)[0] == str(side.sources)
    assert not side.sources.exists()
    done = subprocess.run(["git", "worktree", "list"], check=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1
    assert [subject_of(commit)[8:] for commit in commits_between("main~2", "main")] == ["number 1", "number 2"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mian", "mian: expected a folder with qbench's sources, a Python, or a commit of the repository here"),
        ("--help", "--help: expected a folder"),
        ("main~2", r"main~2: expected sources of qbench, the commit \w{10} has no qbench/__init__.py"),
    ],
)
def test_what_is_no_side_is_an_error(repository: Path, word: str, expected: str) -> None:
    with pytest.raises(SideError, match=expected), open_side(word):
        pass


def test_no_commit_between_is_an_error(repository: Path) -> None:
    with pytest.raises(SideError, match=r"main\.\.main~1: expected an earlier commit and one that follows it"):
        commits_between("main", "main~1")


def test_folders_and_environments_are_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    (tmp_path / "qbench").mkdir()
    (tmp_path / "qbench" / "__init__.py").touch()
    with open_side(str(tmp_path)) as side:
        assert (side.sources, side.python) == (tmp_path, sys.executable)
        assert side.environment["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/elsewhere"
    with open_side(sys.executable) as side:
        assert (side.sources, side.python) == (None, sys.executable)
        assert "PYTHONPATH" not in side.environment
