"""Two runs of kernels, cell by cell, with the words and the statistics of `compare`.

A time is compared as its ratio to a party that took turns with it in both runs: the best other library of the first
run, for memory operations the loop that only moves as many bytes, else the ceiling's loop. What qbench itself does at
another width is no such party: it may have changed as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from qbench.core.cells.result import CEILING, OWN, STREAMS, KernelResult, PartyRow
from qbench.core.trial import Measurement
from qbench.results.compare import ComparedRow, Comparison, Verdict, corrected, differences_of, judge_time, speed_logs
from qbench.results.judge import shift
from qbench.results.kernels.reader import KernelRun


def compare_kernel_runs(before: KernelRun, after: KernelRun, *, threshold: float = 0.03) -> Comparison:
    """Compare the cells that two runs of kernels have in common: qbench's times, and bytes of packed weights.

    Args:
        before: the first run.
        after: the second run.
        threshold: smallest relative change of a time that matters.
    """
    old, new = ({row.trial.key: row for row in run.results if row.status == "ok"} for run in (before, after))
    pairs = [(old[key], new[key]) for key in old if key in new]
    differences = tuple(differences_of(before, after))
    unstable = tuple(str(run.folder) for run in (before, after) if run.header.unstable)
    judged = not differences and not unstable
    times = corrected([row for pair in pairs if (row := _time(*pair)) is not None])
    return Comparison(
        rows=(
            *(judge_time(row, threshold=threshold, judged=judged) for row in times),
            *(row for pair in pairs for row in _size(*pair)),
        ),
        only_before=tuple(key for key in old if key not in new),
        only_after=tuple(key for key in new if key not in old),
        differences=differences,
        unstable=unstable,
    )


def _time(old: KernelResult, new: KernelResult) -> ComparedRow | None:
    own = old.measured(OWN), new.measured(OWN)
    if own[0] is None or own[1] is None:
        return None
    name = _reference(old, new)
    ratio, p = shift(speed_logs(own[0], old.measured(name)), speed_logs(own[1], new.measured(name)))
    return ComparedRow(
        key=old.trial.key,
        kind="time",
        quantity="gops",
        before=_gops(own[0], old),
        after=_gops(own[1], new),
        change=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        p=p,
        verdict="UNSURE",
        basis=f"against {name}" if name else "raw times",
    )


def _reference(old: KernelResult, new: KernelResult) -> str:
    """Return the fastest party of the first run that took turns in both, "" when there is none."""
    for names in ((*old.trial.peers, *STREAMS), (CEILING,)):
        timed = [found for name in names if (found := old.measured(name)) and new.measured(name)]
        if timed:
            return min(timed, key=lambda found: found.median_s).cell
    return ""


def _gops(own: Measurement, row: KernelResult) -> float:
    return row.operations / own.median_s / 1e9


def _size(old: KernelResult, new: KernelResult) -> Iterator[ComparedRow]:
    sizes = [_own_party(row).resident_bytes for row in (old, new)]
    if sizes[0] and sizes[1]:
        ratio = sizes[1] / sizes[0]
        word: Verdict = "SAME" if ratio == 1 else "SMALLER" if ratio < 1 else "LARGER"
        yield ComparedRow(
            old.trial.key, "size", "resident_bytes", sizes[0], sizes[1], ratio, ratio, ratio, None, word, "exact"
        )  # fmt: skip


def _own_party(row: KernelResult) -> PartyRow:
    return next(party for party in row.parties if party.name == OWN)
