import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize_scalar

from qbench.metrics import noninferiority
from qbench.metrics.classification import TOP1
from qbench.metrics.pair import Pair
from qbench.metrics.paired import PairedCounts

Bools = npt.NDArray[np.bool_]
Rows = Callable[[int, int, int, int], tuple[Bools, Bools]]


def score_by_search(table: PairedCounts, ratio: float) -> float:
    """The score statistic with its constrained likelihood maximized numerically instead of in closed form."""

    def shares(lost: float) -> tuple[float, float, float, float] | None:
        # p_both + p_gained = ratio * (p_both + p_lost), one free parameter more: profiled below.
        best: tuple[float, tuple[float, float, float, float]] | None = None
        for gained in np.linspace(1e-9, ratio * lost, 400):
            both = (ratio * lost - gained) / (1 - ratio)
            neither = 1 - both - lost - gained
            if both <= 0 or neither <= 0:
                continue
            cells = (both, lost, float(gained), neither)
            counts = (table.both, table.lost, table.gained, table.neither)
            value = sum(n * math.log(p) for n, p in zip(counts, cells, strict=True) if n)
            if best is None or value > best[0]:
                best = (value, cells)
        return best[1] if best else None

    def loss(lost: float) -> float:
        cells = shares(lost)
        if cells is None:
            return 1e9
        counts = (table.both, table.lost, table.gained, table.neither)
        return -sum(n * math.log(p) for n, p in zip(counts, cells, strict=True) if n)

    found = minimize_scalar(loss, bounds=(1e-6, 0.5), method="bounded", options={"xatol": 1e-9})
    cells = shares(float(found.x))
    assert cells is not None
    variance = table.count * ratio * (cells[2] + cells[1])
    return (table.both + table.gained - ratio * (table.both + table.lost)) / math.sqrt(variance)


@pytest.mark.parametrize("table", [PairedCounts(700, 40, 20, 240), PairedCounts(850, 12, 3, 135)])
@pytest.mark.parametrize("ratio", [0.9, 0.95, 0.97])
def test_the_closed_form_equals_the_maximized_likelihood(table: PairedCounts, ratio: float) -> None:
    assert noninferiority.score_z(table, ratio) == pytest.approx(score_by_search(table, ratio), abs=0.02)


def test_at_ratio_one_the_score_is_mcnemars() -> None:
    z = noninferiority.score_z(PairedCounts(800, 30, 18, 152), 1.0)
    assert z == pytest.approx((18 - 30) / math.sqrt(48), abs=1e-9)


def verdict(ref: Bools, new: Bools, keep: float) -> str:
    return Pair(ref, new, TOP1).verdict(keep)


def test_an_equal_row_of_2000_images_keeps_99_percent_but_cannot_show_999(rows: Rows) -> None:
    table = rows(1834, 0, 0, 166)
    assert verdict(*table, 0.99) == "kept"
    assert verdict(*table, 0.999) == "unsure"


def test_a_collapsed_row_is_lost_and_a_row_at_the_bar_unsure(rows: Rows) -> None:
    assert verdict(*rows(200, 1634, 0, 166), 0.99) == "lost"
    assert verdict(*rows(1800, 34, 16, 150), 0.99) == "unsure"


def test_the_interval_and_the_test_agree(rows: Rows) -> None:
    ref, new = rows(1780, 54, 20, 146)
    score = noninferiority.kept(ref, new, confidence=0.90)
    assert score.value is not None
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    p = noninferiority.keeps(ref, new, score.low / 100).value
    assert p == pytest.approx(0.05, abs=1e-6)


def test_the_interval_covers_the_truth_in_95_of_100_samples(rows: Rows) -> None:
    random, shares = np.random.default_rng(1), (0.9, 0.012, 0.006, 0.082)
    truth = 100 * (shares[0] + shares[2]) / (shares[0] + shares[1])
    hits = 0
    for _ in range(500):
        score = noninferiority.kept(*rows(*random.multinomial(1000, shares).tolist()))
        assert score.low is not None
        assert score.high is not None
        hits += score.low <= truth <= score.high
    assert 0.925 * 500 <= hits <= 0.985 * 500


def test_a_reference_that_is_never_right_gives_no_score(rows: Rows) -> None:
    ref, new = rows(0, 0, 3, 7)
    assert noninferiority.kept(ref, new).value is None
    assert verdict(ref, new, 0.99) == "unsure"
