"""Statistics of paired samples whose scores are numbers, held against scipy's and against chance."""

import numpy as np
import pytest
from scipy import stats

from qbench.metrics import means


def test_few_differences_are_tried_in_every_pattern_of_signs() -> None:
    differences = np.array([1.5, -0.25, 2.0, 0.75, 0.0, 3.0])
    moved = differences[differences != 0]
    expected = stats.permutation_test((moved,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert means.permutation_p(differences) == pytest.approx(float(expected))


def test_many_differences_give_the_p_of_as_many_drawn_signs() -> None:
    random = np.random.default_rng(3)
    differences = random.gamma(2.0, size=60) - 1.6
    drawn = np.abs(random.choice([-1.0, 1.0], (200_000, 60)) @ differences)
    assert means.permutation_p(differences) == pytest.approx(float(np.mean(drawn >= abs(differences.sum()))), abs=0.01)


def test_no_difference_is_no_evidence() -> None:
    assert means.permutation_p(np.zeros(40)) == 1.0


def test_equal_rows_are_told_apart_in_5_of_100_cases() -> None:
    random = np.random.default_rng(5)
    differences = random.exponential(size=(1000, 80)) - random.exponential(size=(1000, 80))
    assert 30 <= sum(means.permutation_p(row) < 0.05 for row in differences) <= 70


def test_the_interval_of_a_mean_covers_it_in_95_of_100_samples() -> None:
    random, hits = np.random.default_rng(7), 0
    for _ in range(400):
        value, low, high = means.mean_interval(random.gamma(3.0, size=150))
        assert low <= value <= high
        hits += low <= 3.0 <= high
    assert 0.92 * 400 <= hits <= 0.98 * 400


def test_fiellers_interval_and_test_agree_and_cover_the_truth() -> None:
    random, hits = np.random.default_rng(9), 0
    for _ in range(400):
        reference = random.gamma(4.0, size=100)
        values = 0.9 * reference + random.normal(scale=0.5, size=100)
        ratio, low, high = means.ratio_interval(values, reference)
        assert low is not None
        assert high is not None
        assert low <= ratio <= high
        assert means.ratio_p(values, reference, least=low) == pytest.approx(0.025, abs=1e-6)
        assert means.ratio_p(values, reference, least=high) == pytest.approx(0.975, abs=1e-6)
        hits += low <= 0.9 <= high
    assert 0.92 * 400 <= hits <= 0.98 * 400


def test_a_reference_that_may_be_zero_gives_a_ratio_without_ends() -> None:
    assert means.ratio_interval(np.array([1.0, 0.0, 2.0]), np.array([0.0, 0.0, 9.0]))[1:] == (None, None)
    assert means.ratio_interval(np.array([1.0]), np.array([2.0])) == (0.5, None, None)
