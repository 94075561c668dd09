"""Rows of a run of kernels -> ratios, means and bars. Statistics are computed here, on reading, from the raw times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qbench.core.cells.result import BANDWIDTH, OWN, KernelResult
from qbench.core.trial import Measurement
from qbench.metrics.speed import Ratio, gops
from qbench.results.header import KernelBar
from qbench.results.reader import KernelRun
from qbench.results.replicates import ratio_of, time_interval


@dataclass(frozen=True, slots=True)
class Mean:
    """Values of several rows: their geometric mean and the worst of them, with its row."""

    value: float
    worst: float
    worst_row: KernelResult
    rows: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A bar and what its rows show; `mean` is None when no row has a value."""

    bar: KernelBar
    mean: Mean | None
    absent: int

    @property
    def met(self) -> bool:
        """Whether mean and least are reached by rows that all have a value."""
        if self.mean is None or self.absent:
            return False
        least = self.bar.least is None or self.mean.worst >= self.bar.least
        return self.mean.value >= self.bar.mean and least


def ratio_to(result: KernelResult, against: str) -> Ratio | None:
    """Return how many times faster qbench is than a party, in paired rounds, with its 95 % interval.

    Args:
        result: a row.
        against: `peers` for the best other library of this row, `bandwidth` for the loop that only moves as many
            bytes, a party's name, or a spec of qbench's own.
    """
    own = result.measured(OWN)
    if against in ("peers", BANDWIDTH):
        other = result.best_peer if against == "peers" else result.stream
    else:
        other = result.measured(against) or result.measured(f"{OWN} {against}")
    if own is None or other is None:
        return None
    return ratio_of(other, own)


def ceiling_share(result: KernelResult, measurement: Measurement | None) -> float | None:
    """Return the share of the binding ceiling that a party reaches: least possible over median time."""
    if measurement is None or not result.bound_s:
        return None
    return result.bound_s / measurement.median_s


def value_against(result: KernelResult, against: str) -> float | None:
    """Return what a bar compares: a ratio, or qbench's share of the ceiling."""
    if against == "ceiling":
        return ceiling_share(result, result.measured(OWN))
    ratio = ratio_to(result, against)
    return None if ratio is None else ratio.ratio


def mean_against(results: Iterable[KernelResult], against: str) -> Mean | None:
    """Return the geometric mean over the rows that have a value, or None when none has."""
    found = [(value, result) for result in results if (value := value_against(result, against)) is not None]
    if not found:
        return None
    worst, row = min(found, key=lambda pair: pair[0])
    return Mean(math.exp(math.fsum(math.log(value) for value, _ in found) / len(found)), worst, row, len(found))


def judged(run: KernelRun) -> list[Judged]:
    """Return every bar of the run with what its rows show."""
    rows = {result.trial.key: result for result in run.results}
    found = []
    for bar in run.header.suite.bars:
        there = [rows[key] for key in bar.keys if key in rows]
        mean = mean_against(there, bar.against)
        found.append(Judged(bar, mean, len(bar.keys) - (mean.rows if mean else 0)))
    return found


def unmet_bars(run: KernelRun) -> Iterator[tuple[str, str]]:
    """Yield the name of every bar that a run does not meet, and what its rows show instead."""
    for one in judged(run):
        if not one.met:
            shown = f"mean {one.mean.value:.3f}, least {one.mean.worst:.3f}" if one.mean else "no row with a value"
            absent = f", {one.absent} of {len(one.bar.keys)} rows without a value" if one.absent else ""
            least = "" if one.bar.least is None else f" and none under {one.bar.least:g}"
            yield (
                one.bar.name,
                f"expected a mean of {one.bar.mean:g}{least} against {one.bar.against}, got {shown}{absent}",
            )


def scaling(result: KernelResult, results: Sequence[KernelResult], party: str = OWN) -> float | None:
    """Return how many times faster a party is than on one thread, by medians of the two rows of this run."""
    cell, trial = result.trial.cell, result.trial
    here = result.measured(party)
    for other in results:
        same = (other.trial.sweep, other.trial.variant) == (trial.sweep, trial.variant)
        one = other.trial.cell
        if same and one.threads == 1 and (one.problem, one.spec, one.out) == (cell.problem, cell.spec, cell.out):
            single = other.measured(party)
            return single.median_s / here.median_s if single and here else None
    return None


def kernel_frame(run: KernelRun) -> pd.DataFrame:
    """Return one row for each party of each cell, in the order of the run."""
    return pd.DataFrame([row for result in run.results for row in _party_rows(result, run.results)])


def _party_rows(result: KernelResult, results: Sequence[KernelResult]) -> Iterable[dict[str, Any]]:
    trial, best = result.trial, result.best_peer
    for party in result.parties:
        found = result.measured(party.name)
        ratio = ratio_to(result, party.name) if party.name != OWN else None
        low, high = time_interval(found) if found else (None, None)
        yield {
            "sweep": trial.sweep,
            "networks": " ".join(trial.networks),
            "problem": trial.cell.problem.label,
            "kind": trial.kind,
            "spec": trial.cell.spec,
            "out": trial.cell.out,
            "batch": trial.batch,
            "threads": trial.cell.threads,
            "variant": trial.variant,
            "party": party.name,
            "status": ("ok" if found else "skipped") if party.name != OWN else result.status,
            "median_s": found.median_s if found else None,
            "median_low_s": low,
            "median_high_s": high,
            "minimum_s": min(found.samples_s) if found else None,
            "samples": len(found.samples_s) if found else 0,
            "processes": max(1, len(found.processes)) if found else 0,
            "stop": found.stop if found else "",
            "gops": gops(found) if found else None,
            "gb_s": result.moved_bytes / found.median_s / 1e9 if found else None,
            "qbench_times_faster": ratio.ratio if ratio else None,
            "ratio_low": ratio.low if ratio else None,
            "ratio_high": ratio.high if ratio else None,
            "best_peer": bool(best and found and best.cell == party.name),
            "thread_scaling": scaling(result, results, party.name) if trial.cell.threads > 1 else None,
            "ceiling_share": ceiling_share(result, found),
            "bound": result.bound,
            "operations": result.operations,
            "moved_bytes": result.moved_bytes,
            "kernel": party.kernel,
            "packed": party.packed,
            "isa": party.isa,
            "resident_bytes": party.resident_bytes,
            "note": party.note,
            "reason": party.reason,
            "machine": result.machine,
        }
