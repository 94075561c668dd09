"""The first commit after a step, also where some commits cannot be told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qbench.metrics.speed import Ratio
from qbench.results.replicates import Judged
from qbench.runner.sides.bisect import Answer, find_commit, first_after, side_of_step
from qbench.runner.sides.contest import Asked, ContestRow, Outcome
from qbench.runner.sides.side import Side, SideError, subject_of

COMMITS = [str(number) for number in range(20)]


@pytest.mark.parametrize("step", range(20))
def test_the_first_commit_after_the_step_is_found_in_few_questions(step: int) -> None:
    asked: list[str] = []

    def asks(commit: str) -> Answer:
        asked.append(commit)
        return "after" if int(commit) >= step else "before"

    assert first_after(COMMITS, asks).commits == (str(step),)
    assert len(asked) <= 5


def test_commits_that_cannot_be_told_are_named_with_the_one_after_them() -> None:
    def asks(commit: str) -> Answer:
        number = int(commit)
        return "untestable" if number in (7, 8, 15) else "after" if number >= 9 else "before"

    assert first_after(COMMITS, asks).commits == ("7", "8", "9")


@pytest.mark.parametrize(
    ("low", "high", "step", "answer"),
    [
        (0.98, 1.01, 0.9, "before"), (0.88, 0.92, 0.9, "after"), (0.9, 0.97, 0.9, "unsure"),
        (0.99, 1.01, 1.2, "before"), (1.15, 1.3, 1.2, "after"),
    ],
)  # fmt: skip
def test_a_commit_stands_where_half_of_the_step_is_left_out(low: float, high: float, step: float, answer: str) -> None:
    assert side_of_step(Judged(Ratio((low * high) ** 0.5, low, high), 0.0, "UNSURE", 3), step) == answer


def test_the_step_between_two_commits_is_found_at_its_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits whose number says how long they take; the fourth cannot be timed."""
    for number in range(3, 9):
        (repository / "qbench" / "__init__.py").write_text(f"number = {number}\n")
        subprocess.run(["git", "commit", "-qam", f"number {number}"], check=True)

    def compare(before: Side, after: Side, asked: Asked, _tell: object) -> Outcome:
        assert before.sources is not None
        assert after.sources is not None
        number = int((after.sources / "qbench" / "__init__.py").read_text()[9:])
        assert (before.sources / "qbench" / "__init__.py").read_text() == "number = 1\n"
        if number == 4:
            raise SideError("does not build")
        ratio = 0.9 if number >= 6 else 1.0
        judged = Judged(Ratio(ratio, ratio - 0.01, ratio + 0.01), 0.0, "SLOWER" if number >= 6 else "SAME", 3)
        return Outcome((ContestRow("row", 1.0, 1.0, judged, same_answer=True),), (), (), {}, 1.0)

    monkeypatch.setattr("qbench.runner.sides.bisect.compare_sides", compare)
    told: list[str] = []
    whole, found = find_commit("HEAD~7", "HEAD", Asked(Path("suite.yaml"), only=("row",)), told.append)
    assert (whole.verdict, [subject_of(commit)[8:] for commit in found.commits]) == ("SLOWER", ["number 6"])
    with pytest.raises(SideError, match=r"HEAD~7\.\.HEAD~3: expected a row that became faster or slower, got SAME"):
        find_commit("HEAD~7", "HEAD~3", Asked(Path("suite.yaml"), only=("row",)), told.append)
