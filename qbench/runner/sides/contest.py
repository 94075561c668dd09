"""Two sides in the same rounds: fresh processes of both, turns within every round, until the intervals are narrow.

A ratio is taken within a round, where both sides timed the same row one after the other; a process pair's figure is the
median of its rounds; the interval is that of process pairs (`qbench.results.replicates`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qbench.results.replicates import Judged, judge_rows
from qbench.runner.sides.process import Process, RowError
from qbench.runner.sides.side import Side, SideError
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.replicates import LEAST

ROUNDS = 8
"""Rounds of a pair of processes; both orders are equally often the first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared, and when that is enough.

    Args:
        suite: file of the suite.
        overrides: `key=value` strings, as on the command line.
        only: names of the rows that are wanted, all where it is empty.
        processes: fresh processes of each side that are timed at least.
        precision: rows whose interval's half is at most this share are timed no more.
        seconds: begin no more processes that would end after so long.
        threshold: smallest relative change that counts.
        seed: of the order of turns.
        slow: row -> share by which a call of the second side takes longer, None for calls as they are; both sides
            then wait for a clock in each call, so that the share is all that differs (`qbench selftest-timing`).
    """

    suite: Path
    overrides: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    processes: int = 3
    precision: float = 0.01
    seconds: float = 120.0
    threshold: float = 0.03
    seed: int = 0
    slow: Callable[[str], float | None] = lambda key: None


@dataclass(frozen=True, slots=True)
class ContestRow:
    """One row of both sides.

    Args:
        key: its name.
        before_s: median seconds of the first side.
        after_s: of the second.
        judged: the verdict, with the ratio and its interval.
        same_answer: whether both sides answered with the same bytes.
    """

    key: str
    before_s: float
    after_s: float
    judged: Judged
    same_answer: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """All rows, those that only one side has, and why rows could not be timed: key -> reason."""

    rows: tuple[ContestRow, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    failed: Mapping[str, str]
    seconds: float


class Contest:
    """Everything measured so far."""

    def __init__(self, before: Side, after: Side, asked: Asked, clock: Clock | None = None) -> None:
        self._sides, self._asked, self._clock = (before, after), asked, clock or Clock()
        self._generator = random.Random(asked.seed)
        self._keys: list[tuple[str, ...]] = []
        self._logs: dict[str, list[float]] = {}
        self._times: dict[str, tuple[list[float], list[float]]] = {}
        self._same: dict[str, bool] = {}
        self._failed: dict[str, str] = {}

    def run(self, tell: Callable[[str], None]) -> Outcome:
        """Time pairs of fresh processes until every row's interval is narrow or the time is spent.

        Raises:
            SideError: a side cannot be started, cannot read the suite, or ended.
        """
        start_s, spent_s = self._clock.now_s(), 0.0
        for number in range(1, 1000):
            begun_s = self._clock.now_s()
            open_rows = self._open() if number > self._asked.processes else []
            tell(f"processes {number}" + (f", {len(open_rows)} rows are not narrow yet" if open_rows else ""))
            self._pair(open_rows)
            spent_s, last_s = self._clock.now_s() - start_s, self._clock.now_s() - begun_s
            enough = number >= self._asked.processes and not self._open()
            if number >= LEAST and (enough or spent_s + last_s > self._asked.seconds):
                break
        return self._outcome(spent_s)

    def _pair(self, wanted: Sequence[str]) -> None:
        """Time all wanted rows (all, where none are named) in one fresh process of each side."""
        with ExitStack() as stack:
            pair = [stack.enter_context(Process(side)) for side in self._sides]
            keys = self._common(pair)
            loops = self._prepared(pair, [key for key in keys if key in wanted] if wanted else keys)
            samples: dict[str, list[tuple[float, float]]] = {key: [] for key in loops}
            firsts = {key: self._generator.random() < 0.5 for key in loops}
            for turn in range(ROUNDS):
                for key in self._generator.sample(list(samples), len(samples)):
                    first = int(firsts[key]) ^ (turn & 1) ^ (turn >> 1 & 1)  # ABBA BAAB
                    try:
                        found = {side: pair[side].ask("time", row=key, loops=loops[key]) for side in (first, 1 - first)}
                    except RowError as error:
                        self._failed[key] = str(error)
                        del samples[key]
                    else:
                        samples[key].append((found[0], found[1]))
        for key, taken in samples.items():
            self._logs.setdefault(key, []).append(median(float(np.log(a / b)) for a, b in taken))
            times = self._times.setdefault(key, ([], []))
            for kept, side in zip(times, zip(*taken, strict=True), strict=True):
                kept.append(median(side))

    def _common(self, pair: Sequence[Process]) -> list[str]:
        """Return the rows that both sides have and that can be timed."""
        for process in pair:
            process.send("hello")
        for process in pair:
            process.check()
        for process in pair:
            process.send("rows", suite=str(self._asked.suite.resolve()), overrides=self._asked.overrides)
        self._keys = [tuple(process.answer()) for process in pair]
        wanted = self._asked.only
        both = [key for key in self._keys[0] if key in self._keys[1] and key not in self._failed]
        missing = [key for key in wanted if key not in self._keys[0] or key not in self._keys[1]]
        if missing:
            raise SideError(f"--row {missing[0]}: expected a row of both sides, e.g. {', '.join(both[:3]) or 'none'}")
        if not both and not self._failed:
            raise SideError(f"{self._asked.suite}: expected rows that both sides time, got none")
        return [key for key in both if key in wanted] if wanted else both

    def _prepared(self, pair: Sequence[Process], keys: Sequence[str]) -> dict[str, int]:
        """Make rows ready on both sides, and return how many calls make a sample: as many on both."""
        loops = {}
        for key in keys:
            fresh = key not in self._logs
            share = self._asked.slow(key)
            for process, slow in zip(pair, (None if share is None else 0.0, share), strict=True):
                process.send("prepare", row=key, check=fresh, slow=slow)
            facts = [_answer(process) for process in pair]
            wrong = [fact["failed"] for fact in facts if "failed" in fact]
            if wrong:
                self._failed[key] = "; ".join(wrong)
                continue
            loops[key] = max(fact["loops"] for fact in facts)
            self._same[key] = facts[0]["answer"] == facts[1]["answer"]
        return loops

    def _judged(self) -> dict[str, Judged]:
        kept = {key: logs for key, logs in self._logs.items() if key not in self._failed}
        return dict(zip(kept, judge_rows(list(kept.values()), threshold=self._asked.threshold), strict=True))

    def _open(self) -> list[str]:
        """Return the rows whose interval is not narrow enough yet."""
        return [key for key, judged in self._judged().items() if not judged.half_width <= self._asked.precision]

    def _outcome(self, spent_s: float) -> Outcome:
        rows = []
        for key, judged in self._judged().items():
            before_s, after_s = (median(times) for times in self._times[key])
            rows.append(ContestRow(key, before_s, after_s, judged, self._same[key]))
        first, second = (self._asked.only or keys for keys in self._keys)
        return Outcome(
            tuple(rows),
            tuple(key for key in first if key not in second),
            tuple(key for key in second if key not in first),
            dict(self._failed),
            spent_s,
        )


def _answer(process: Process) -> dict[str, Any]:
    """Return what a side says of a row that it made ready; `failed` and the reason where it cannot."""
    try:
        found: dict[str, Any] = process.answer()
    except RowError as error:
        return {"failed": str(error)}
    return found


def compare_sides(before: Side, after: Side, asked: Asked, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Return what timing two sides in the same rounds says."""
    return Contest(before, after, asked).run(tell)
