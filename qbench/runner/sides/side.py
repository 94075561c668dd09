"""What is compared: a commit, a folder of sources, or a Python environment; each becomes a Python and its sources."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import qbench
from qbench.errors import QBenchError, ResultsError
from qbench.results.history import repository


class SideError(QBenchError):
    """A side is not there, or cannot do what it is asked."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side.

    Args:
        name: as the user wrote it, of a commit with its hash.
        python: the interpreter that runs it.
        sources: folder that `qbench` lies in, None where the environment has it installed.
    """

    name: str
    python: str = sys.executable
    sources: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its process: its sources come before all others; an environment has only its own."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if self.sources is None:
            return kept
        return kept | {"PYTHONPATH": os.pathsep.join(filter(None, [str(self.sources), os.environ.get("PYTHONPATH")]))}


def these_sources() -> Side:
    """Return the side of this very process."""
    return Side("these sources", sources=Path(qbench.__file__).absolute().parents[1])


@contextmanager
def open_side(text: str) -> Iterator[Side]:
    """Yield what a word of the command line means; a commit's sources lie in a temporary folder as long as it is open.

    Raises:
        SideError: it is neither a folder of sources, nor a Python, nor a commit of the repository here.
    """
    path = Path(text)
    if (path / "qbench" / "__init__.py").is_file():
        yield Side(text, sources=path.resolve())
    elif (path / "bin" / "python").is_file():
        yield Side(text, python=str((path / "bin" / "python").absolute()))
    elif path.is_file() and os.access(path, os.X_OK):
        yield Side(text, python=str(path.absolute()))
    else:
        with _checked_out(text) as side:
            yield side


@contextmanager
def _checked_out(text: str) -> Iterator[Side]:
    commit = commit_of(text)
    with tempfile.TemporaryDirectory(prefix="qbench-ab-") as folder:
        tree = Path(folder) / commit[:10]
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            if not (tree / "qbench" / "__init__.py").is_file():
                raise SideError(
                    f"{text}: expected sources of qbench, the commit {commit[:10]} has no qbench/__init__.py"
                )
            yield Side(text if commit.startswith(text) else f"{text} ({commit[:10]})", sources=tree)
        finally:
            git("worktree", "remove", "--force", str(tree))


def commit_of(text: str) -> str:
    """Return the hash of a commit; raise SideError where there is none of that name here."""
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    except SideError as error:
        raise SideError(
            f"{text}: expected a folder with qbench's sources, a Python, or a commit of the repository here"
        ) from error


def commits_between(good: str, bad: str) -> Sequence[str]:
    """Return the hashes of the commits after `good` up to `bad`, the oldest first; raise SideError for none."""
    found = git("rev-list", "--reverse", "--ancestry-path", f"{commit_of(good)}..{commit_of(bad)}").split()
    if not found:
        raise SideError(f"{good}..{bad}: expected an earlier commit and one that follows it")
    return found


def subject_of(commit: str) -> str:
    """Return a commit's short hash and the first line of its message."""
    return git("log", "-1", "--format=%h %s", commit)


def git(*words: str) -> str:
    """Return what git prints; raise SideError with its last line where it fails."""
    try:
        return repository.git(*words).strip()
    except ResultsError as error:
        raise SideError(str(error)) from error
