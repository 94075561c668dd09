"""A run of kernels as its report sees it: rows by sweep and threads, and what is said of it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from qbench.core.cells.result import OWN, KernelResult
from qbench.report import words
from qbench.report.headed import Headed
from qbench.results.kernels.index import Judged, judged, mean_against
from qbench.results.reader import KernelRun


@dataclass(frozen=True)
class KernelView(Headed):
    """A run of kernels."""

    run: KernelRun

    @property
    def rows(self) -> tuple[KernelResult, ...]:
        """All rows."""
        return self.run.results

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

    @cached_property
    def headline(self) -> str:
        """What the run shows, in one sentence."""
        timed = [row for row in self.rows if row.measured(OWN) and row.best_peer]
        mean = mean_against(timed, "peers")
        if mean is None:
            return f"{len(self.rows)} operations, none of them timed beside another library."
        return (
            f"qbench is {words.times(mean.value)} as fast as the best other library of each shape, "
            f"{words.times(mean.worst)} at worst, over {mean.rows} rows."
        )


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
