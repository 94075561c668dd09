"""What git knows: runs that are kept in it, and the order of commits."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qbench.errors import ResultsError
from qbench.results.header import FILE_NAME
from qbench.results.history.series import Mark
from qbench.results.reader import ROWS_NAME, Run, read_run


def git(*words: str, folder: Path = Path()) -> str:
    """Return what git prints in a folder; raise ResultsError with its last line where it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise ResultsError(f"git: expected it to be installed, got {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise ResultsError(f"git {words[0]}: {lines[-1]}")
    return done.stdout.decode(errors="replace")


def head_of(folder: Path) -> str:
    """Return the commit of the repository that a folder lies in, with `+` behind it where files differ; "" for none."""
    try:
        commit = git("rev-parse", "--short=10", "HEAD", folder=folder).strip()
        changed = git("status", "--porcelain", "--untracked-files=no", folder=folder).strip()
    except ResultsError:
        return ""
    return f"{commit}+" if changed else commit


def kept_runs(folder: Path) -> tuple[list[Run[Any]], list[Mark]]:
    """Return every version that git has of the run in a folder, the oldest first, with the commits that wrote it.

    Raises:
        ResultsError: git has no run there, or a version of it is damaged.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder}: expected the folder of a run that is kept in git, found no such folder")
    names = (FILE_NAME, ROWS_NAME)
    listed = git("log", "--reverse", "--format=%H%x09%cs%x09%s", "--", *names, folder=folder).splitlines()
    runs, marks = [], []
    for line in listed:
        commit, day, subject = line.split("\t", 2)
        with tempfile.TemporaryDirectory(prefix="qbench-kept-") as place:
            if not all(_checked_out(commit, name, folder, Path(place)) for name in names):
                continue  # the commit that took it away
            runs.append(replace(read_run(Path(place)), folder=folder))
        marks.append(Mark(f"{commit[:10]} {subject}", day, commit[:10]))
    if not runs:
        raise ResultsError(f"{folder}: expected {' and '.join(names)} that git keeps, found no commit with both")
    return runs, marks


def _checked_out(commit: str, name: str, folder: Path, place: Path) -> bool:
    try:
        text = git("show", f"{commit}:./{name}", folder=folder)
    except ResultsError:
        return False
    (place / name).write_text(text, encoding="utf-8")
    return True


def in_order(marks: Sequence[Mark]) -> list[int]:
    """Return the places of marks in the order of their commits here, ancestors first.

    Raises:
        ResultsError: a run has no commit, or one that the repository here does not have.
    """
    order = {
        commit: place for place, commit in enumerate(git("rev-list", "--topo-order", "--reverse", "--all").split())
    }
    found = []
    for place, mark in enumerate(marks):
        commit = mark.commit.rstrip("+")
        at = next((order[full] for full in order if commit and full.startswith(commit)), None)
        if at is None:
            raise ResultsError(f"{mark.name}: expected a commit of the repository here, got '{mark.commit}'")
        found.append((at, place))
    return [place for _, place in sorted(found)]


def subject_of(commit: str) -> str:
    """Return the first line of a commit's message, "" where the repository here does not have it."""
    try:
        return git("log", "-1", "--format=%s", commit.rstrip("+"), "--").strip()
    except ResultsError:
        return ""
