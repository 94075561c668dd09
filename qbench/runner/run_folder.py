"""The folder of a new run, and what names the newest one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from qbench.errors import ResultsError
from qbench.results import RunHeader, RunWriter
from qbench.results.reader import LATEST_NAME


def new_run(folder: Path, suite_sha256: str, header: Callable[[datetime], RunHeader]) -> RunWriter:
    """Start a run in `folder`, a suite's, with the header that `header` makes of the moment."""
    moment = datetime.now(UTC)
    digest = hashlib.sha256(f"{suite_sha256}{time.time_ns()}".encode()).hexdigest()[:6]
    return RunWriter.create(folder / f"{moment:%Y%m%dT%H%M%SZ}-{digest}", header(moment))


def point_to(folder: Path) -> None:
    """Make `latest` beside the run lead to it, in one step; raise ResultsError when it cannot be written.

    It is a symbolic link, or a text file that holds the run's name where the file system has no links.
    """
    pointer, fresh = folder.parent / LATEST_NAME, folder.parent / f".{LATEST_NAME}.new"
    try:
        fresh.unlink(missing_ok=True)
        try:
            fresh.symlink_to(folder.name, target_is_directory=True)
        except (OSError, NotImplementedError):
            fresh.write_text(folder.name + "\n", encoding="utf-8")
        fresh.replace(pointer)
    except OSError as error:
        raise ResultsError(f"{pointer}: cannot write: {error.strerror}") from error
