"""Writing a report: the plots' files and the page."""

from __future__ import annotations

from pathlib import Path

from qbench.core.kinds import KINDS
from qbench.errors import ResultsError
from qbench.report.kind import page_kind
from qbench.results import read_run

PAGE_NAME = "report.html"


def write_report(runs: list[Path], out: Path) -> Path:
    """Write `plots/*.svg`, `plots/*.png` and `report.html` into `out` and return the path of the page.

    Args:
        runs: folders of runs of one kind; with more than one, the page shows them side by side.
        out: folder to write into, made when it is missing; usually the run's own.

    Raises:
        ResultsError: a run cannot be read, the runs do not go on one page, or the folder cannot be written.
    """
    if not runs:
        raise ResultsError("report: expected the folder of at least one run, got none")
    first, *others = (read_run(run) for run in runs)
    kind = first.header.kind
    for other in others:
        if other.header.kind != kind:
            nouns = KINDS[kind].noun, KINDS[other.header.kind].noun
            raise ResultsError(f"{other.folder}: expected a run of {nouns[0]} as the first one, got one of {nouns[1]}")
    if others and not page_kind(kind).several:
        raise ResultsError(f"{others[0].folder}: expected one run of {KINDS[kind].noun} for a page, got {len(runs)}")
    return write_page(out / PAGE_NAME, page_kind(kind).page([first, *others], out))


def write_page(page: Path, content: str) -> Path:
    """Write a page in one step, with its folder, and return its path; raise ResultsError when it cannot be written."""
    fresh = page.with_name(f".{page.name}.new")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(page)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ResultsError(f"{page}: cannot write: {error.strerror}") from error
    return page
