"""Who may run now. Timing is exclusive on a machine: it waits for every other qbench, and every other waits for it.

Accuracy trials of several processes share the machine; a timing shares it with nobody. Both hold an advisory lock file,
which the system releases when a process dies, however it dies. It lies in the temporary folder, or where `QBENCH_LOCK`
says: containers that share a machine can share a file.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from qbench.errors import MachineError, ResultsError


def machine_lock_path() -> Path:
    """Return the path of the lock file that all qbench processes of this machine hold."""
    named = os.environ.get("QBENCH_LOCK")
    return Path(named) if named else Path(tempfile.gettempdir()) / "qbench-timing.lock"


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise MachineError(f"{path}: expected a lock file that can be written, got {error.strerror}") from error
    with suppress(OSError):  # another user's file is already as open as it can be
        os.fchmod(descriptor, 0o666)
    return os.fdopen(descriptor, "r+")


@contextmanager
def _held(path: Path, kind: int, on_wait: Callable[[], None]) -> Iterator[None]:
    with _open(path) as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, kind)
        yield


def _nothing() -> None:
    """Wait without a word."""


@contextmanager
def timing(*, path: Path | None = None, on_wait: Callable[[], None] = _nothing) -> Iterator[None]:
    """Have the machine alone; `on_wait` is called once when another qbench has to be waited for."""
    with _held(path or machine_lock_path(), fcntl.LOCK_EX, on_wait):
        yield


@contextmanager
def working(*, path: Path | None = None, on_wait: Callable[[], None] = _nothing) -> Iterator[None]:
    """Compute beside other accuracy trials, but never beside a timing."""
    with _held(path or machine_lock_path(), fcntl.LOCK_SH, on_wait):
        yield


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the only process that writes the runs in `folder`; raise ResultsError when another one does."""
    path = folder / ".lock"
    try:
        file = _open(path)
    except MachineError as error:
        raise ResultsError(str(error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResultsError(f"{folder}: another qbench is writing this suite's runs; wait for it to end") from error
        yield
