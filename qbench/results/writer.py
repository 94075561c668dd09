"""Appending to a run: one line a finished trial, on disk before `append` returns. A kill loses the trial in flight."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qbench.core.cells.result import KernelResult
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError
from qbench.results.header import RunHeader, read_header, write_header
from qbench.results.reader import ROWS_NAME, read_rows
from qbench.results.rows import encode_row


class RunWriter:
    """The one writer of a run folder; make it with `create` or `open`, and close it, or use it in a `with`."""

    def __init__(self, folder: Path, header: RunHeader) -> None:
        self.folder = folder
        self.header = header
        self._path = folder / ROWS_NAME
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._size = self._cut_torn_line()
        except OSError as error:
            raise ResultsError(f"{self._path}: cannot write: {error.strerror}") from error
        self.results = {result.trial.key: result for result in read_rows(self._path, header.kind)}

    @classmethod
    def create(cls, folder: Path, header: RunHeader) -> Self:
        """Make the folder and start a run in it; raise ResultsError when it holds a run or cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"{folder}: cannot make the folder of the run: {error.strerror}") from error
        if (folder / ROWS_NAME).exists():
            raise ResultsError(f"{folder}: expected an empty folder, found {ROWS_NAME}")
        write_header(folder, header)
        return cls(folder, header)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Continue the run in `folder`: a line torn by a kill is cut off, the rows before it stand in `results`."""
        return cls(folder, read_header(folder))

    def append(self, result: TrialResult | KernelResult) -> None:
        """Write one row and wait until it is on disk.

        Raises:
            ResultsError: the disk is full or not to be written; the file then ends with the last whole row.
        """
        line = encode_row(result).encode() + b"\n"
        try:
            _write_all(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise ResultsError(
                f"{self._path}: cannot write: {error.strerror}; the {len(self.results)} rows before are kept"
            ) from error
        self._size += len(line)
        self.results[result.trial.key] = result

    def update_header(self, **changes: Any) -> None:
        """Change fields of `run.json`, e.g. its `state`; the file is replaced in one step."""
        header = RunHeader.model_validate(self.header.model_dump() | changes)
        write_header(self.folder, header)
        self.header = header

    def close(self) -> None:
        """Close the file; doing so twice is no error."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut_torn_line(self) -> int:
        """Cut what follows the last line break and return the size that is left."""
        text = self._path.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole != len(text):
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        return whole


def _write_all(file: int, data: bytes) -> None:
    """Write every byte: near a full disk `os.write` may take only the first of them without an error."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
