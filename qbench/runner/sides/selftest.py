"""What verdicts of this machine are worth: the same sources against themselves, with delays that were planted.

Each row of a comparison is drawn to be left as it is, or to take longer by a known share on the second side. So one
comparison holds both kinds of rows, as one of two commits does; what comes out is counted.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from qbench.metrics.speed import Verdict
from qbench.runner.machine.affinity import allowed_cpus, distinct_cores
from qbench.runner.sides.contest import Asked, Outcome, compare_sides
from qbench.runner.sides.side import Side, these_sources
from qbench.runner.timing.clock import Clock

PLANTED = (0.0, 0.05, 0.10)
"""Shares by which a call is made to take longer."""
_CHANCES = (2, 1, 1)
"""How often each is drawn, of four."""
_ONE_S = 60.0
"""The time that one comparison may take."""

Compare = Callable[[Side, Side, Asked], Outcome]


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said of rows that were delayed alike in one state of the machine.

    Args:
        planted: share by which they took longer.
        noisy: whether a neighbour kept another core busy.
        verdicts: word -> how often.
    """

    planted: float
    noisy: bool
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many verdicts there were."""
        return self.verdicts.total()

    @property
    def false(self) -> int:
        """How many of them are not true: a change where there is none, none or the opposite where there is one."""
        wrong: tuple[Verdict, ...] = ("FASTER", "SAME") if self.planted else ("FASTER", "SLOWER")
        return sum(self.verdicts[word] for word in wrong)


def selftest(
    suite: Path,
    *,
    seconds: float,
    tell: Callable[[str], None],
    clock: Clock | None = None,
    compare: Compare = compare_sides,
) -> list[Tally]:
    """Return what comparisons of these sources with themselves say, on the machine as it is and beside a neighbour.

    Args:
        suite: whose rows are timed.
        seconds: in all; begin no comparison that would end later. Each state gets one comparison at least.
        tell: hears what is being done.
        clock: the clock.
        compare: compares two sides; tests bring their own.
    """
    clock, side = clock or Clock(), these_sources()
    tallies, number = [], 0
    for noisy in (False, True):
        found = {planted: Tally(planted, noisy) for planted in PLANTED}
        start_s = clock.now_s()
        with neighbour() if noisy else nullcontext():
            while True:
                begun_s = clock.now_s()
                tell(f"comparison {number + 1}, {'beside a neighbour' if noisy else 'nobody else'}")
                _count(compare, side, Asked(suite, seconds=_ONE_S, seed=number), found)
                number += 1
                if 2 * clock.now_s() - begun_s - start_s > seconds / 2:
                    break
        tallies += list(found.values())
    return tallies


def _count(compare: Compare, side: Side, asked: Asked, found: dict[float, Tally]) -> None:
    """Make one comparison with planted delays, and count what it says."""
    generator, planted = random.Random(asked.seed), dict[str, float]()

    def slow(key: str) -> float:
        return planted.setdefault(key, generator.choices(PLANTED, _CHANCES)[0])

    asked = Asked(asked.suite, seconds=asked.seconds, seed=asked.seed, slow=slow)
    for row in compare(side, side, asked).rows:
        found[planted[row.key]].verdicts[row.judged.verdict] += 1


@contextmanager
def neighbour() -> Iterator[None]:
    """Keep another core than the first busy with a process that does nothing else."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {distinct_cores(allowed_cpus())[-1]})
        yield
    finally:
        process.kill()
        process.wait()


def tally_lines(tallies: Sequence[Tally]) -> list[str]:
    """Return the table as lines of Markdown."""
    lines = ["| planted | other core | rows | SLOWER | FASTER | SAME | UNSURE | false |", "|" + "---|" * 8]
    for one in tallies:
        words = [str(one.verdicts[word]) for word in ("SLOWER", "FASTER", "SAME", "UNSURE")]
        cells = [f"{100 * one.planted:.0f} %", "busy" if one.noisy else "left alone", str(one.count), *words]
        lines.append(f"| {' | '.join([*cells, str(one.false)])} |")
    return lines
