"""Verdicts from processes: rarely wrong where nothing changed, right where something did, whatever rows share."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import t as student

from qbench.results.replicates import common_variance, judge_rows

Floats = npt.NDArray[np.float64]


def drawn(shifts: list[float], *, spread: list[float], processes: int = 3, seed: int = 0) -> list[list[float]]:
    """Return log ratios of `processes` for rows of these shifts and spreads."""
    generator = np.random.default_rng(seed)
    return [list(generator.normal(shift, sd, processes)) for shift, sd in zip(shifts, spread, strict=True)]


def test_nothing_is_called_changed_where_nothing_is_and_nearly_all_is_called_the_same() -> None:
    words = []
    for seed in range(50):
        spread = list(0.004 * np.random.default_rng(seed + 1000).lognormal(0, 0.5, 20))
        words += [found.verdict for found in judge_rows(drawn([0.0] * 20, spread=spread, seed=seed))]
    assert words.count("FASTER") + words.count("SLOWER") == 0
    assert words.count("SAME") >= 900


def test_five_percent_are_found_among_rows_that_did_not_change() -> None:
    found = [
        judge_rows(drawn([math.log(1 / 1.05), *[0.0] * 19], spread=[0.005] * 20, seed=seed))[0] for seed in range(100)
    ]
    assert sum(row.verdict == "SLOWER" for row in found) >= 95
    assert all(row.verdict != "FASTER" for row in found)
    assert sum(row.ratio.low <= 1 / 1.05 <= row.ratio.high for row in found) >= 88  # of 100 intervals of 95 %


LOUD, ROWS, COMPARISONS = 8, 40, 250


def loud_among_still(processes: int, *, tails: bool) -> Floats:
    """Comparisons in which rows that vary by 3 % became 5 % slower, among rows of 0.4 to 1 % that did not change."""
    generator, loud = np.random.default_rng(11), np.arange(ROWS) < LOUD
    shape = (COMPARISONS, ROWS, processes)
    noise = generator.standard_t(4, shape) / math.sqrt(2) if tails else generator.standard_normal(shape)
    spread = np.where(loud, 0.03, 0.007 * generator.lognormal(0, 0.35, (COMPARISONS, ROWS)))
    return spread[..., None] * noise - np.where(loud, math.log(1.05), 0)[:, None]


def same_as_drawn(rows: Floats) -> npt.NDArray[np.bool_]:
    """Which rows would be the SAME by the interval of the variance that each shares with the others, as it is."""
    processes = rows.shape[1]
    own, freedom = np.var(rows, axis=1, ddof=1), processes - 1.0
    prior, more = common_variance(own, np.full(len(rows), freedom))
    error = np.sqrt((more * prior + freedom * own) / (more + freedom) / processes)
    half = student.ppf(0.975, freedom + more) * error
    return np.abs(np.mean(rows, axis=1)) + half <= math.log(1.03)


@pytest.mark.parametrize(
    ("processes", "tails", "false", "true"),
    [
        (3, False, (1.20, 0.45), (97.9, 82.9)),
        (3, True, (0.35, 0.10), (96.3, 84.8)),
        (5, False, (0.20, 0.05), (99.8, 98.9)),
    ],
)
def test_rows_that_vary_more_than_their_fellows_are_less_often_the_same_by_mistake(
    processes: int, tails: bool, false: tuple[float, float], true: tuple[float, float]
) -> None:
    """Percent of rows, by the variance that was drawn towards the others' alone and as they are judged."""
    words = []
    for rows in loud_among_still(processes, tails=tails):
        judged = [found.verdict == "SAME" for found in judge_rows(rows.tolist())]
        words.append((same_as_drawn(rows), judged))
    same = 100 * np.array(words).mean(axis=0)
    assert same[:, :LOUD].mean(axis=1) == pytest.approx(false, abs=0.06)
    assert same[:, LOUD:].mean(axis=1) == pytest.approx(true, abs=0.5)


def test_a_row_alone_is_judged_by_its_own_spread() -> None:
    (found,) = judge_rows([[0.10, 0.11, 0.12]])
    half = 4.302653 * np.std([0.10, 0.11, 0.12], ddof=1) / math.sqrt(3)  # t of two degrees of freedom
    assert found.ratio.ratio == pytest.approx(math.exp(0.11))
    assert (found.ratio.low, found.ratio.high) == pytest.approx(
        (math.exp(0.11 - half), math.exp(0.11 + half)), rel=1e-5
    )
    assert (found.verdict, found.processes) == ("FASTER", 3)
    assert found.half_width == pytest.approx(half, rel=1e-5)


def test_one_process_says_nothing() -> None:
    (found,) = judge_rows([[0.5]])
    assert (found.verdict, found.p, found.half_width) == ("UNSURE", 1.0, math.inf)


def test_a_small_change_that_is_certain_is_the_same() -> None:
    assert judge_rows([[0.010, 0.011, 0.0105, 0.0104]])[0].verdict == "SAME"


def test_rows_that_agree_share_their_variance_and_rows_that_do_not_keep_their_own() -> None:
    generator = np.random.default_rng(3)
    alike = 4e-4 * generator.chisquare(2, 400) / 2
    variance, freedom = common_variance(alike, np.full(400, 2.0))
    assert variance == pytest.approx(4e-4, rel=0.15)
    assert freedom > 20
    variance, freedom = common_variance(alike * generator.lognormal(0, 1.5, 400), np.full(400, 2.0))
    assert freedom < 3
