"""What of two rows of a cell is compared; `qbench.results.compare` judges.

A time is compared as its ratio to a party that took turns with it in both runs: the best other library of the first
run, for memory operations the loop that only moves as many bytes, else the ceiling's loop. What qbench itself does at
another width is no such party: it may have changed as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from qbench.core.cells.result import CEILING, OWN, STREAMS, KernelResult, PartyRow
from qbench.core.trial import Measurement
from qbench.results.compare import ComparedRow, Verdict, spread_of
from qbench.results.header import RunHeader
from qbench.results.judge import shift
from qbench.results.replicates import basis_of, process_logs


def compared_kernels(
    old: KernelResult, new: KernelResult, before: RunHeader, after: RunHeader
) -> Iterator[ComparedRow]:
    """Yield what of two rows of a cell is compared: qbench's time, and bytes of packed weights."""
    yield from _time(old, new, spread=spread_of(before, after))
    yield from _size(old, new)


def _time(old: KernelResult, new: KernelResult, *, spread: float) -> Iterator[ComparedRow]:
    own = old.measured(OWN), new.measured(OWN)
    if own[0] is None or own[1] is None:
        return
    name = _reference(old, new)
    logs = [process_logs(own[0], old.measured(name)), process_logs(own[1], new.measured(name))]
    ratio, p = shift(*logs, spread=spread)
    yield ComparedRow(
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
        basis=basis_of(name, logs),
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
