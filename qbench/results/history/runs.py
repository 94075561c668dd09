"""The runs of a history: folders of runs, or versions that git keeps, in the order of time or of commits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qbench.errors import ResultsError
from qbench.results.header import FILE_NAME
from qbench.results.history.repository import in_order, kept_runs, subject_of
from qbench.results.history.series import Mark
from qbench.results.reader import Run, find_run, read_run

Runs = tuple[list[Run[Any]], list[Mark]]


def runs_of(paths: Sequence[Path], *, kept: bool = False, by_commit: bool = False) -> Runs:
    """Return runs, the oldest first, and what each is called.

    Args:
        paths: folders of runs, or folders that hold such folders.
        kept: each is the folder of one run, of which git keeps versions: all of them are meant.
        by_commit: in the order of commits of the repository here; else of time.

    Raises:
        ResultsError: a folder holds no run, a run is damaged, or a commit is not known here.
    """
    if kept:
        found = [kept_runs(path) for path in paths]
        return [run for runs, _ in found for run in runs], [mark for _, marks in found for mark in marks]
    folders = list(dict.fromkeys(folder.resolve() for path in paths for folder in _folders(path)))
    runs = sorted(map(read_run, folders), key=lambda run: run.header.created_utc)
    marks = [_mark(run) for run in runs]
    order = in_order(marks) if by_commit else range(len(runs))
    return [runs[place] for place in order], [marks[place] for place in order]


def _folders(path: Path) -> list[Path]:
    """Return the runs that a path means: itself, or those in it, at most two folders below."""
    if (path / FILE_NAME).is_file() or not path.is_dir():
        return [find_run(path)]
    inside = [one.parent for depth in ("*", "*/*") for one in path.glob(f"{depth}/{FILE_NAME}")]
    found = [folder for folder in inside if not any(part.is_symlink() for part in (folder, folder.parent))]
    if not found:
        raise ResultsError(f"{path}: expected the folder of a run, or one of runs, found no {FILE_NAME} in it")
    return found


def _mark(run: Run[Any]) -> Mark:
    commit = run.header.commit
    subject = subject_of(commit) if commit else ""
    name = f"{commit} {subject}" if subject else run.folder.name
    return Mark(name, run.header.created_utc, commit)
