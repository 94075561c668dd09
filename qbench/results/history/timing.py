"""The times of a row, and what each can be set against: parties that took turns with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qbench.core.cells.result import CEILING, OWN, STREAMS, KernelResult
from qbench.core.trial import Measurement, TrialResult
from qbench.results.columns import batch_of


@dataclass(frozen=True, slots=True)
class Timing:
    """One timed quantity of a row.

    Args:
        quantity: its column, e.g. `images_per_s_b256`, `gops`.
        unit: of `rate`.
        rate: by the median, more is faster.
        own: the raw times.
        others: parties of the same rounds, the one to be preferred as a reference first.
    """

    quantity: str
    unit: str
    rate: float
    own: Measurement
    others: Mapping[str, Measurement]


def network_timings(row: TrialResult) -> Iterator[Timing]:
    """Yield the throughput of a row of a network at every batch size."""
    for group in dict.fromkeys(cell.group for cell in row.measurements):
        batch = batch_of(group)
        cells = {cell.cell: cell for cell in row.measurements if cell.group == group and cell.samples_s}
        own = cells.pop(row.trial.backend, None)
        if batch is not None and own is not None:
            yield Timing(f"images_per_s_b{batch}", "images/s", own.items / own.median_s, own, cells)


def kernel_timings(row: KernelResult) -> Iterator[Timing]:
    """Yield the speed of a row of a kernel: beside the best other library, else the loop that is its ceiling."""
    own = row.measured(OWN)
    if own is None:
        return
    peers = sorted(
        (found for name in (*row.trial.peers, *STREAMS) if (found := row.measured(name))),
        key=lambda found: found.median_s,
    )
    ceiling = [found] if (found := row.measured(CEILING)) else []
    others = {found.cell: found for found in (*peers, *ceiling)}
    yield Timing("gops", "Gop/s", row.operations / own.median_s / 1e9, own, others)
