from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from qbench.metrics import paired

Bools = npt.NDArray[np.bool_]


Rows = Callable[[int, int, int, int], tuple[Bools, Bools]]


def test_counts_are_the_two_by_two_table(rows: Rows) -> None:
    assert paired.counts(*rows(5, 3, 2, 1)) == paired.PairedCounts(5, 3, 2, 1)


def test_rows_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        paired.counts(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (0, 4), (3, 3), (9, 1), (30, 12), (200, 150)])
def test_mcnemar_midp_is_the_exact_p_less_half_the_chance_of_the_seen_table(lost: int, gained: int, rows: Rows) -> None:
    from scipy.stats import binom, binomtest

    discordant, fewer = lost + gained, min(lost, gained)
    expected = 1.0
    if lost != gained:
        exact = float(binomtest(fewer, discordant, 0.5).pvalue)
        expected = exact - float(binom.pmf(fewer, discordant, 0.5))
    assert paired.mcnemar_midp(*rows(900, lost, gained, 50)).value == pytest.approx(expected, abs=1e-12)


def test_mcnemar_midp_equals_the_published_example(rows: Rows) -> None:
    # Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91: 1 and 7 discordant pairs, mid-p 0.039.
    p = paired.mcnemar_midp(*rows(1, 1, 7, 12)).value
    assert p is not None
    assert round(p, 3) == 0.039


def test_the_drop_is_deterministic_and_holds_its_value(rows: Rows) -> None:
    table = rows(1800, 40, 25, 135)
    first, again = paired.drop(*table, seed=3), paired.drop(*table, seed=3)
    assert first == again
    assert first.value == pytest.approx(0.75)
    assert first.low is not None
    assert first.high is not None
    assert first.low <= 0.75 <= first.high


def test_the_multinomial_bootstrap_agrees_with_resampling_images(rows: Rows) -> None:
    ref, new = rows(900, 60, 20, 120)
    fast = paired.drop(ref, new, resamples=20_000)
    difference = ref.astype(float) - new
    picks = np.random.default_rng(5).integers(0, ref.size, (4000, ref.size))
    low, high = np.percentile(100 * difference[picks].mean(axis=1), [2.5, 97.5])
    assert fast.low == pytest.approx(low, abs=0.15)
    assert fast.high == pytest.approx(high, abs=0.15)


def test_equal_rows_still_get_an_interval_of_some_width(rows: Rows) -> None:
    score = paired.drop(*rows(1800, 0, 0, 200))
    assert score.value == 0.0
    assert score.low is not None
    assert score.high is not None
    assert -0.3 < score.low < 0.0 < score.high < 0.3


@pytest.mark.parametrize("shares", [(0.91, 0.01, 0.006), (0.92, 0.002, 0.002), (0.6, 0.2, 0.05)])
def test_the_interval_of_the_drop_covers_the_truth_in_95_of_100_samples(
    shares: tuple[float, float, float], rows: Rows
) -> None:
    random = np.random.default_rng(0)
    truth = 100 * (shares[1] - shares[2])
    hits = 0
    for seed in range(300):
        table = random.multinomial(1000, [*shares, 1 - sum(shares)])
        score = paired.drop(*rows(*table.tolist()), seed=seed, resamples=1000)
        assert score.low is not None
        assert score.high is not None
        hits += score.low <= truth <= score.high
    assert hits >= 0.92 * 300


def test_no_images_give_no_score() -> None:
    nothing = np.zeros(0, dtype=bool)
    assert paired.drop(nothing, nothing).value is None
    assert paired.mcnemar_midp(nothing, nothing).value is None
