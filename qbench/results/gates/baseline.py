"""Baselines of a team: a good run of each suite, in two small files that git keeps.

They lie in `qbench-baselines/<suite>/` at the top of the repository: `run.json` and `trials.jsonl`, a run as any other,
without what no comparison reads (facts per layer, phases, remarks). So `git log` says who accepted which figures, and
`qbench history --git` draws them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qbench.core.trial import TrialResult
from qbench.errors import ResultsError
from qbench.results.header import FILE_NAME
from qbench.results.history.repository import git
from qbench.results.reader import ROWS_NAME, Run, read_run
from qbench.results.writer import RunWriter

FOLDER = "qbench-baselines"


def baselines_folder(start: Path) -> Path:
    """Return where baselines lie: at the top of the repository that a folder is in, else in the folder itself."""
    try:
        return Path(git("rev-parse", "--show-toplevel", folder=start).strip()) / FOLDER
    except ResultsError:
        return start / FOLDER


def save_baseline(run: Run[Any], folder: Path) -> tuple[Path, int]:
    """Make a run the baseline of its suite, and return its folder and the bytes of its two files.

    Args:
        run: finished, with no failed row.
        folder: of all baselines.

    Raises:
        ResultsError: the run was not finished, has failed rows or none that is ok, or cannot be written.
    """
    name = run.header.suite.name
    failed = [row.trial.key for row in run.results if row.status == "failed"]
    if failed:
        raise ResultsError(f"{run.folder}: expected a run without failed rows, {len(failed)} failed, e.g. {failed[0]}")
    if not run.header.state.finished or not any(row.status == "ok" for row in run.results):
        raise ResultsError(f"{run.folder}: expected a finished run with rows that are ok")
    place = folder / name
    fresh = folder / f".{name}.new"
    _clear(fresh)
    with RunWriter.create(fresh, run.header.model_copy(update={"command_line": ""})) as writer:
        for row in run.results:
            writer.append(_small(row))
    try:
        place.mkdir(exist_ok=True)
        for file in (FILE_NAME, ROWS_NAME):
            (fresh / file).replace(place / file)
        fresh.rmdir()
    except OSError as error:
        raise ResultsError(f"{place}: cannot write: {error.strerror}") from error
    return place, sum((place / file).stat().st_size for file in (FILE_NAME, ROWS_NAME))


def find_baseline(run: Run[Any], folder: Path) -> Run[Any]:
    """Return the baseline of a run's suite; raise ResultsError where there is none, with those that there are."""
    place = folder / run.header.suite.name
    if (place / FILE_NAME).is_file():
        return read_run(place)
    known = sorted(path.parent.name for path in folder.glob(f"*/{FILE_NAME}"))
    there = f"; there are {', '.join(known)}" if known else ""
    raise ResultsError(
        f"{place}: expected a baseline of the suite, found none{there}; `qbench baseline save` makes one"
    )


def _small(row: Any) -> Any:
    """Return a row without what no comparison reads; its machine stays."""
    if isinstance(row, TrialResult):
        return replace(row, layer_rows=(), phases_s={}, kernels={}, notes=())
    return replace(row, phases_s={})


def _clear(folder: Path) -> None:
    """Remove what a killed save left."""
    for file in (FILE_NAME, ROWS_NAME):
        (folder / file).unlink(missing_ok=True)
