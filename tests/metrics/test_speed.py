import math
from typing import Any

import numpy as np
import pytest

from qbench.core.trial import Measurement
from qbench.metrics import speed


def cell(samples: list[float], *, items: int = 10, group: str = "network/batch10", operations: int = 0) -> Measurement:
    return Measurement(group, "qbench", tuple(samples), 1, items, operations)


@pytest.mark.parametrize(("count", "rank"), [(6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (25, 8), (100, 40)])
def test_the_interval_of_the_median_is_the_tabled_pair_of_order_statistics(count: int, rank: int) -> None:
    samples = list(np.random.default_rng(count).permutation(count) + 1.0)
    assert speed.median_interval(samples) == (float(rank), float(count + 1 - rank))


@pytest.mark.parametrize("count", [6, 13, 40, 101])
def test_the_interval_of_the_median_equals_scipys(count: int) -> None:
    from scipy.stats import quantile_test

    samples = np.random.default_rng(count).exponential(size=count)
    test: Any = quantile_test(samples, p=0.5)
    expected = test.confidence_interval(0.95)
    assert speed.median_interval(list(samples)) == pytest.approx((expected.low, expected.high))


def test_few_samples_give_their_range_and_none_gives_nan() -> None:
    assert speed.median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert speed.median_interval([4.0]) == (4.0, 4.0)
    assert all(math.isnan(v) for v in speed.median_interval([]))


def test_the_interval_of_the_median_covers_it_in_at_least_95_of_100_samples() -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        low, high = speed.median_interval(list(random.lognormal(size=21)))
        hits += low <= 1.0 <= high
    assert hits >= 940


def test_the_ratio_of_pairs_is_untouched_by_a_machine_that_slows_down() -> None:
    drift = np.linspace(1.0, 1.7, 31)
    ratio = speed.paired_ratio(list(3.0 * drift), list(drift))
    assert ratio == pytest.approx((3.0, 3.0, 3.0))


def test_the_ratio_is_antisymmetric() -> None:
    random = np.random.default_rng(4)
    first, second = list(random.lognormal(0, 0.1, 25)), list(random.lognormal(0.3, 0.1, 25))
    forth, back = speed.paired_ratio(first, second), speed.paired_ratio(second, first)
    assert forth.ratio == pytest.approx(1 / back.ratio)
    assert (forth.low, forth.high) == pytest.approx((1 / back.high, 1 / back.low))


def test_rounds_without_a_partner_are_left_out() -> None:
    assert speed.paired_ratio([2.0, 2.0, 900.0], [1.0, 1.0]) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0]])
def test_times_that_are_not_positive_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="positive times"):
        speed.paired_ratio([1.0], samples)


def test_verdicts_need_both_an_interval_and_a_size() -> None:
    assert speed.verdict(speed.Ratio(1.10, 1.05, 1.15)) == "FASTER"
    assert speed.verdict(speed.Ratio(0.90, 0.85, 0.95)) == "SLOWER"
    assert speed.verdict(speed.Ratio(1.01, 1.005, 1.02)) == "SAME"
    assert speed.verdict(speed.Ratio(1.10, 0.95, 1.30)) == "UNSURE"


def test_throughput_turns_the_interval_over() -> None:
    score = speed.images_per_s(cell([0.1] * 5 + [0.2] * 5 + [0.4] * 5))
    assert (score.value, score.low, score.high) == pytest.approx((50.0, 25.0, 100.0))
    assert speed.images_per_s(cell([])).value is None


def test_speedup_is_an_image_and_only_within_a_group() -> None:
    assert speed.speedup(cell([1.0] * 6), cell([1.0] * 6, items=20)).value == pytest.approx(2.0)
    assert speed.speedup(cell([1.0] * 6, group="network/batch1"), cell([1.0] * 6)).value is None


def test_the_share_of_the_ceiling_needs_operations_and_a_ceiling() -> None:
    timed = cell([0.5] * 6, operations=10**9)
    assert speed.gops(timed) == pytest.approx(2.0)
    assert speed.ceiling_share(timed, ceiling_gops=8.0).value == pytest.approx(25.0)
    assert speed.ceiling_share(timed, ceiling_gops=0.0).value is None
    assert speed.ceiling_share(cell([0.5] * 6), ceiling_gops=8.0).value is None
