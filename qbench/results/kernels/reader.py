"""Reading a run of kernels: the header and the rows, as they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qbench.core.cells.result import KernelResult
from qbench.errors import ResultsError
from qbench.results.header import RunHeader, read_header
from qbench.results.reader import ROWS_NAME, find_run, whole_lines
from qbench.results.rows import decode_kernel_row


@dataclass(frozen=True, slots=True)
class KernelRun:
    """A run as it lies on disk; each cell once, its last row, in the order in which cells first appeared."""

    folder: Path
    header: RunHeader
    results: tuple[KernelResult, ...]


def read_kernel_run(folder: Path) -> KernelRun:
    """Read the run in `folder`, or the newest of a suite's folder; raise ResultsError as `read_run`."""
    found = find_run(folder)
    header = read_header(found)
    if header.kind != "kernels":
        raise ResultsError(f"{found}: expected a run of kernels, got one of a {header.kind}")
    unique = {result.trial.key: result for result in read_kernel_rows(found / ROWS_NAME)}
    return KernelRun(found, header, tuple(unique.values()))


def read_kernel_rows(path: Path) -> list[KernelResult]:
    """Return every whole row of a `trials.jsonl`; raise ResultsError for a damaged one."""
    return [decode_kernel_row(line, place=f"{path}:{number}") for number, line in enumerate(whole_lines(path), start=1)]
