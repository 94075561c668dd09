"""Reading a run folder: the header and the rows, as they were written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from qbench.core.cells.result import KernelResult
from qbench.core.kinds import KINDS
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError
from qbench.results.header import FILE_NAME, RunHeader, read_header
from qbench.results.rows import decode_row

Result = TypeVar("Result", TrialResult, KernelResult)

ROWS_NAME = "trials.jsonl"
LATEST_NAME = "latest"


@dataclass(frozen=True, slots=True)
class Run(Generic[Result]):
    """A run as it lies on disk; each trial once, its last row, in the order in which trials first appeared.

    Args:
        lines: the line of `trials.jsonl` that each result came from, the first is 1.
    """

    folder: Path
    header: RunHeader
    results: tuple[Result, ...]
    lines: tuple[int, ...] = field(default=(), compare=False)

    @property
    def baseline(self: Run[TrialResult]) -> TrialResult | None:
        """The fp32 row of qbench's own graph, or None when it is missing or not ok."""
        rows = (row for row in self.results if row.trial.sweep == "baseline" and row.trial.backend == "qbench")
        return next((row for row in rows if row.status == "ok"), None)


NetworkRun = Run[TrialResult]
KernelRun = Run[KernelResult]


def read_run(folder: Path, *, kind: str = "") -> Run[Any]:
    """Read the run in `folder`, or the newest run of a suite's folder, which its `latest` names.

    Args:
        folder: of the run, or of its suite.
        kind: what the rows must be, a name of `qbench.core.kinds`; "" for whatever they are.

    Raises:
        ResultsError: no run there, one of another kind or schema version, or a damaged row (with file and line). A
            last line without its line break is a row in the making, and is left out.
    """
    found = find_run(folder)
    header = read_header(found)
    if kind not in ("", header.kind):
        nouns = KINDS[kind].noun, KINDS[header.kind].noun
        raise ResultsError(f"{found}: expected a run of {nouns[0]}, got one of {nouns[1]}")
    unique: dict[str, tuple[int, Any]] = {}
    for line, result in enumerate(read_rows(found / ROWS_NAME, header.kind), start=1):
        unique[result.trial.key] = line, result
    lines, results = [line for line, _ in unique.values()], [result for _, result in unique.values()]
    return Run(found, header, tuple(results), tuple(lines))


def find_run(path: Path) -> Path:
    """Return the run folder that `path` means: itself, or what `latest` in it, or `path` as a text file, names."""
    if (path / FILE_NAME).is_file():
        return path
    pointer = path / LATEST_NAME if path.is_dir() else path
    if pointer.is_dir():
        return pointer
    if pointer.name == LATEST_NAME and pointer.is_file():
        return pointer.parent / pointer.read_text(encoding="utf-8", errors="replace").strip("\0 \r\n")
    if not path.exists():
        raise ResultsError(f"{path}: expected the folder of a run, found nothing there")
    raise ResultsError(f"{path}: expected the folder of a run, found no {FILE_NAME} in it")


def read_rows(path: Path, kind: str) -> list[Any]:
    """Return every whole row of a `trials.jsonl`, which are of a kind; raise ResultsError for a damaged one."""
    lines = enumerate(_whole_lines(path), start=1)
    return [decode_row(line, kind, place=f"{path}:{number}") for number, line in lines]


def _whole_lines(path: Path) -> list[bytes]:
    """Return every line that ends in a line break, none when there is no such file; raise ResultsError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultsError(f"{path}: cannot read: {error.strerror}") from error
    return text.split(b"\n")[:-1]
