"""What a run's numbers cannot say: sentences made of the run itself, and the table of `qbench selftest-timing`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from qbench.report import words
from qbench.report.view import RunView
from qbench.results import RunHeader
from qbench.results.left_out import NOT_TIMED

SELFTEST_NAME = "selftest.md"
"""What `qbench selftest-timing -o` wrote into a run's folder."""

Cells = tuple[str, ...]


def selftest(folder: Path) -> tuple[Cells, ...]:
    """Return the table of verdicts that lies beside a run, its headings first; () where there is none."""
    try:
        lines = (folder / SELFTEST_NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    return tuple(row for row in rows if not all(set(cell) <= set("-: ") for cell in row))


def limits(view: RunView) -> tuple[str, ...]:
    """Return what a reader should keep in mind, a sentence or two each."""
    return tuple([*_of_scores(view), *_of_times(view), *machine_limits(view.header)])


def _of_scores(view: RunView) -> Iterator[str]:
    data, task = view.header.data, view.task
    spans = [span[1] - span[0] for row in view.network if (span := view.span(row))]
    if spans:
        half = words.significant(0.5 * statistics.median(spans), 2)
        yield (
            f"One set of {words.number(data.images, 0)} samples: what a row lost is known to about ±{half} "
            f"{task.unit_of_change} (the middle row's interval), and other data may lose more or less."
        )
    if len(view.network) > 1:
        yield (
            f"The best of {len(view.network)} rows on the same samples looks better than it is: of many that are alike "
            "the luckiest leads. Rows that share rank 1 in the table of recipes cannot be told apart."
        )
    draws = {(row.result.trial.seed, row.result.trial.samples) for row in view.network}
    if len(draws) == 1:
        yield "One draw of calibration samples: another draw moves low widths most, and that is in no interval here."
    simulated = sum(row.result.execution == "simulated" for row in view.network)
    if simulated:
        yield (
            f"{simulated} of {len(view.network)} rows are simulated in float32: their accuracy is real, and nothing is "
            "known of their speed."
        )


def _of_times(view: RunView) -> Iterator[str]:
    if not view.timed:
        return
    missing = {note for row in view.run.results for note in row.notes if note.startswith(NOT_TIMED)}
    if len(view.timed) < len(view.rows):
        batches = ", ".join(map(str, view.batches))
        yield (
            f"Only {len(view.timed)} of {len(view.rows)} rows were timed, batch {batches}: a row without a time may be "
            "faster or slower than those with one."
        )
    yield (
        "qbench's makers chose what is compared. Other libraries run as they come, with as many threads as qbench; an "
        "expert of theirs may tune them further."
        + (f" {len(missing)} kinds of them were left out, for the reasons above." if missing else "")
    )


def machine_limits(header: RunHeader) -> Iterator[str]:
    """Yield what is true of times of any run."""
    if len(header.machines) < 2:
        yield (
            "One machine. Ratios of libraries that took turns hold in spite of its drift; milliseconds do not, and "
            "other processors rank libraries otherwise."
        )
    if header.machine.ceilings:
        yield "A ceiling is the speed of a bare loop of one kind of instruction: what saves products can exceed it."
