"""A run of kernels as its report sees it: rows by sweep and threads, and what is said of it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from qbench.core.cells.result import OWN, KernelResult
from qbench.core.formats import Binary, Ternary
from qbench.report import words
from qbench.report.headed import Headed
from qbench.results.kernels.index import Judged, judged, mean_against
from qbench.results.reader import KernelRun

FAMILIES = ("8 bits", "depthwise", "under 8 bits", "ternary", "binary")
"""What is multiplied: means over more than one of them would say nothing."""


def family(row: KernelResult) -> str:
    """Return the family of a row's products, by which it is coloured."""
    spec = row.trial.cell.layer_spec
    if isinstance(spec.weights.format, Binary) and isinstance(spec.activations.format, Binary):
        return "binary"
    if isinstance(spec.weights.format, Ternary):
        return "ternary"
    if row.trial.kind == "depthwise":
        return "depthwise"
    return "8 bits" if spec.weights.format.bits == 8 else "under 8 bits"


@dataclass(frozen=True)
class KernelView(Headed):
    """A run of kernels."""

    run: KernelRun

    @property
    def rows(self) -> tuple[KernelResult, ...]:
        """All rows."""
        return self.run.results

    @cached_property
    def _lines(self) -> dict[int, int]:
        return {id(row): line for row, line in zip(self.rows, self.run.lines, strict=False)}

    def line(self, row: KernelResult) -> int:
        """Return the line of `trials.jsonl` that a row comes from, the first is 1; 0 where that is not known."""
        return self._lines.get(id(row), 0)

    @cached_property
    def threads(self) -> tuple[int, ...]:
        """The numbers of threads that occur."""
        return tuple(sorted({row.trial.cell.threads for row in self.rows}))

    def panel(self, threads: int) -> str:
        """Return the title of what is shown of rows on so many threads."""
        return self.device or f"{threads} thread{'s' if threads > 1 else ''}"

    @cached_property
    def sweeps(self) -> tuple[str, ...]:
        """The sweeps in order."""
        return tuple(dict.fromkeys(row.trial.sweep for row in self.rows))

    @cached_property
    def bars(self) -> list[Judged]:
        """What the suite asks, and what the rows show."""
        return judged(self.run)

    @cached_property
    def peers(self) -> tuple[str, ...]:
        """Other libraries that were timed at least once."""
        asked = dict.fromkeys(name for row in self.rows for name in row.trial.peers)
        return tuple(name for name in asked if any(row.measured(name) for row in self.rows))

    def part(self, sweep: str, threads: int) -> list[KernelResult]:
        """Return the rows of a sweep on so many threads."""
        return [row for row in self.rows if (row.trial.sweep, row.trial.cell.threads) == (sweep, threads)]

    @cached_property
    def own_specs(self) -> tuple[str, ...]:
        """Specs at which qbench took turns with itself."""
        return tuple(dict.fromkeys(spec for row in self.rows for spec in row.trial.own))

    def groups(self) -> Iterator[tuple[str, int, list[KernelResult]]]:
        """Yield sweep, threads and rows of each group that has rows."""
        for sweep in self.sweeps:
            for threads in self.threads:
                rows = self.part(sweep, threads)
                if rows:
                    yield sweep, threads, rows

    def families(self) -> Iterator[tuple[str, int, list[KernelResult]]]:
        """Yield family, threads and rows of each group that was timed beside another library."""
        for name in FAMILIES:
            for threads in self.threads:
                rows = [row for row in self._beside if (family(row), row.trial.cell.threads) == (name, threads)]
                if rows:
                    yield name, threads, rows

    @cached_property
    def _beside(self) -> list[KernelResult]:
        return [row for row in self.rows if row.measured(OWN) and row.best_peer]

    @cached_property
    def headline(self) -> str:
        """What the run shows, in one sentence: a mean for each family, as one over all would say nothing."""
        known = dict.fromkeys(family(row) for row in self._beside)
        means = {name: mean_against([row for row in self._beside if family(row) == name], "peers") for name in known}
        found = {name: mean for name in FAMILIES if (mean := means.get(name)) is not None}
        if not found:
            return f"{len(self.rows)} operations, none of them timed beside another library."
        if len(found) == 1:
            (mean,) = found.values()
            return (
                f"qbench is {words.times(mean.value)} as fast as the best other library of each shape, "
                f"{words.times(mean.worst)} at worst, over {mean.rows} rows."
            )
        parts = ", ".join(f"{name} {words.times(mean.value)} ({_rows(mean.rows)})" for name, mean in found.items())
        return f"Beside the best other library of each shape, qbench's speed is, on average: {parts}."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def against_words(against: str) -> str:
    """Return what something is compared with, in words."""
    known = {"peers": "best library of each shape", "ceiling": "measured ceiling", "bandwidth": "measured bandwidth"}
    return known.get(against, f"own {against}" if against.startswith("w") else against)


def absent_parties(rows: Sequence[KernelResult]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (party, reason, keys) of whatever was not timed, wrong answers first, equal reasons together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for party in row.parties:
            if party.reason:
                found.setdefault((party.name, party.reason), []).append(row.trial.key)
    ordered = sorted(found.items(), key=lambda pair: ("wrong" not in pair[0][1], pair[0][0]))
    return [(name, reason, tuple(keys)) for (name, reason), keys in ordered]
