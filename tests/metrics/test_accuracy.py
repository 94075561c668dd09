import numpy as np
import pytest

from qbench.metrics import accuracy
from qbench.metrics.classification import TOP1_PERCENT


def test_wilson_equals_the_textbook_interval_of_81_in_263() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    low, high = accuracy.wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("count", [1, 7, 263, 2000])
def test_wilson_equals_scipys(count: int) -> None:
    from scipy.stats import binomtest

    for hits in {0, count // 3, count}:
        expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
        assert accuracy.wilson(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_more_hits_than_images() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        accuracy.wilson(3, 2)


def test_newcombe_equals_the_textbook_interval_of_56_in_70_against_48_in_80() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10, contrast (a).
    difference, low, high = accuracy.newcombe(48, 80, other_hits=56, other_count=70)
    assert (round(difference, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)


def test_top1_is_the_share_of_first_guesses_that_are_right() -> None:
    logits = np.array([[0.0, 2.0], [3.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    right = accuracy.correct(logits, np.array([1, 0, 0, 0]))
    assert right.tolist() == [True, True, True, False]
    score = accuracy.share(right, TOP1_PERCENT)
    assert score.value == 75.0
    assert score.low is not None
    assert score.high is not None
    assert score.low < 75.0 < score.high


def test_no_images_give_no_score_rather_than_a_number() -> None:
    nothing = np.zeros(0, dtype=bool)
    assert accuracy.share(nothing, TOP1_PERCENT).value is None
    assert accuracy.worst_class(nothing, nothing).value is None


def test_worst_class_is_the_lowest_of_the_classes_that_occur() -> None:
    right = np.array([1, 1, 0, 0, 1, 1, 1, 1], dtype=bool)
    labels = np.array([7, 7, 7, 7, 2, 2, 2, 2])
    assert accuracy.worst_class(right, labels).value == 50.0
