"""Files that the command line was asked to write."""

from __future__ import annotations

from pathlib import Path

from qbench.errors import ResultsError


def write(path: Path, text: str, *, behind: bool = False) -> None:
    """Write a file, or `behind` what is in it; raise ResultsError where it cannot be written."""
    try:
        with path.open("a" if behind else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ResultsError(f"{path}: cannot write: {error.strerror}") from error
