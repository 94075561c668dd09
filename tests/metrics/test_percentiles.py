"""Percentiles and their bounds: the counts of MLPerf's rules, and how often a bound holds."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.metrics.percentiles import QUERIES, percentile, queries_needed


@pytest.mark.parametrize(("percent", "overshoots", "queries"), [(99, 0, 459), (99, 1, 662), (90, 0, 44), (90, 1, 64)])
def test_as_many_queries_are_needed_as_mlperf_asks_for(percent: int, overshoots: int, queries: int) -> None:
    assert queries_needed(percent, overshoots) == queries
    latencies = [float(number) for number in range(queries)]
    bound = percentile(latencies, percent).high_s
    assert bound is not None
    assert sum(latency > bound for latency in latencies) == overshoots
    fewer = percentile(latencies[1:], percent).high_s
    assert fewer is None if overshoots == 0 else fewer == latencies[-1]


def test_a_bound_holds_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    found = [percentile(generator.exponential(size=QUERIES), 99) for _ in range(4000)]
    true = -np.log(0.01)
    too_low = np.mean([one.high_s is None or one.high_s < true for one in found])
    too_high = np.mean([one.low_s is not None and one.low_s > true for one in found])
    assert 0.005 < too_low <= 0.013  # an order statistic: at most 1 %, less where ranks are coarse
    assert too_high <= 0.013


def test_a_percentile_lies_between_its_ends_and_few_queries_have_none() -> None:
    latencies = np.random.default_rng(1).exponential(size=1000)
    for percent in (50, 90, 99):
        value, low, high = percentile(latencies, percent)
        assert (low or np.inf) <= value <= (high or 0.0)
    assert percentile([1.0], 50) == (1.0, None, None)
    with pytest.raises(ValueError, match="at least one query"):
        percentile([], 50)
