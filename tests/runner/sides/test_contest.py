"""What is asked of two sides, and what becomes of their answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qbench.runner.sides.contest import Asked, Outcome, compare_sides
from qbench.runner.sides.side import Side, SideError

MakeSide = Callable[..., Side]
ROWS = {f"row{number}": 1e-3 * (1 + number) for number in range(6)}


def compared(before: Side, after: Side, **how: Any) -> Outcome:
    return compare_sides(before, after, Asked(Path("suite.yaml"), **how))


def test_a_row_that_takes_longer_is_slower_and_the_others_are_the_same(make_side: MakeSide) -> None:
    slower = ROWS | {"row2": ROWS["row2"] * 1.05}
    outcome = compared(make_side("a", ROWS), make_side("b", slower, seed=1, answers={"row4": "other"}))
    assert {row.key: row.judged.verdict for row in outcome.rows} == dict.fromkeys(ROWS, "SAME") | {"row2": "SLOWER"}
    assert [row.key for row in outcome.rows if not row.same_answer] == ["row4"]
    assert {row.judged.processes for row in outcome.rows} == {3}


def test_rows_of_one_side_and_rows_that_break_are_named(make_side: MakeSide) -> None:
    first, second = (
        make_side("a", ROWS),
        make_side("b", {"row0": 1.0, "row1": 1.0, "new": 1.0}, broken={"row1": "wrong"}),
    )
    outcome = compared(first, second, processes=2, seconds=0.0)
    assert [row.key for row in outcome.rows] == ["row0"]
    assert outcome.only_before == ("row2", "row3", "row4", "row5")
    assert (outcome.only_after, outcome.failed) == (("new",), {"row1": "b: wrong"})


def test_a_row_that_breaks_while_it_is_timed_costs_no_other(make_side: MakeSide) -> None:
    outcome = compared(make_side("a", ROWS, stopped={"row3": "kernels compiled"}), make_side("b", ROWS))
    assert outcome.failed == {"row3": "a: kernels compiled"}
    assert [row.key for row in outcome.rows] == [key for key in ROWS if key != "row3"]


def test_wide_intervals_are_given_more_processes_until_the_time_is_spent(make_side: MakeSide) -> None:
    noisy = [make_side(name, {"row": 1e-3}, noise=0.2, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    assert compared(*noisy, seconds=0.0).rows[0].judged.processes == 2
    assert compared(*noisy, processes=2, precision=0.2, seconds=60.0).rows[0].judged.half_width <= 0.2


@pytest.mark.parametrize(
    ("facts", "how", "expected"),
    [
        ({"dies": "no such thing"}, {}, r"b: its process ended \(exit code 1\): no such thing"),
        ({}, {"only": ("raw0",)}, "--row raw0: expected a row of both sides, e.g. row0, row1, row2"),
    ],
)
def test_a_side_that_cannot_serve_is_an_error(
    make_side: MakeSide, facts: dict[str, str], how: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SideError, match=expected):
        compared(make_side("a", ROWS), make_side("b", ROWS, **facts), **how)


def test_a_side_without_common_rows_or_with_other_sources_is_an_error(make_side: MakeSide, tmp_path: Path) -> None:
    with pytest.raises(SideError, match=r"suite\.yaml: expected rows that both sides time, got none"):
        compared(make_side("a", {}), make_side("b", ROWS))
    (tmp_path / "qbench").mkdir()
    wrong = Side("w", python=make_side("w", ROWS, package="/elsewhere").python, sources=tmp_path)
    with pytest.raises(SideError, match=r"w: expected qbench of .*, its process found /elsewhere"):
        compared(wrong, make_side("b", ROWS))
