"""The commit that made a row slower or faster: a binary search by comparisons with the first commit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qbench.results.replicates import Judged
from qbench.runner.sides.contest import Asked, compare_sides
from qbench.runner.sides.side import SideError, commits_between, open_side, subject_of

Answer = Literal["before", "after", "unsure", "untestable"]
"""Where a commit stands: before the step, after it, the measurement cannot tell, or the row cannot be timed there."""


@dataclass(frozen=True, slots=True)
class Found:
    """Commits one of which made the step, the oldest first: one where every commit that was asked could be told."""

    commits: tuple[str, ...]


def first_after(commits: Sequence[str], asks: Callable[[str], Answer]) -> Found:
    """Return the first commit after a step.

    Args:
        commits: the oldest first; the last one is known to be after the step.
        asks: where a commit stands. One that cannot be told leaves its neighbours to be asked.
    """
    low, high, dark = -1, len(commits) - 1, set[int]()
    while open_ones := [index for index in range(low + 1, high) if index not in dark]:
        middle = open_ones[len(open_ones) // 2]
        answer = asks(commits[middle])
        if answer == "after":
            high = middle
        elif answer == "before":
            low = middle
        else:
            dark.add(middle)
    return Found(tuple(commits[low + 1 : high + 1]))


def side_of_step(judged: Judged, step: float) -> Answer:
    """Return where a commit stands whose speed over the first's is `judged`, when the last one's is `step`."""
    half = math.sqrt(step)
    low, high = judged.ratio.low, judged.ratio.high
    if low <= half <= high:
        return "unsure"
    return "after" if (low > half) == (step > 1.0) else "before"


def find_commit(good: str, bad: str, asked: Asked, tell: Callable[[str], None]) -> tuple[Judged, Found]:
    """Return the whole step of one row from `good` to `bad`, and the commit that made it.

    Raises:
        SideError: the row is neither faster nor slower, or one of the two cannot be timed.
    """
    commits = commits_between(good, bad)
    with open_side(good) as before:

        def judged(commit: str) -> Judged:
            with open_side(commit) as after:
                outcome = compare_sides(before, after, asked, lambda _: None)
            if not outcome.rows:
                raise SideError(next(iter(outcome.failed.values())))
            return outcome.rows[0].judged

        whole = judged(bad)
        if whole.verdict not in ("FASTER", "SLOWER"):
            ratio = whole.ratio
            raise SideError(
                f"{good}..{bad}: expected a row that became faster or slower, got {whole.verdict} "
                f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
            )
        asked = replace(asked, precision=max(asked.precision, abs(math.log(whole.ratio.ratio)) / 4))

        def asks(commit: str) -> Answer:
            try:
                answer = side_of_step(judged(commit), whole.ratio.ratio)
            except SideError as error:
                answer = "untestable"
                tell(f"{subject_of(commit)}: {error}")
            tell(f"{answer}: {subject_of(commit)}")
            return answer

        return whole, first_after(commits, asks)
