"""Steps of noisy series: found where they are, and not found where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.results.history.steps import find_steps, partition


def noisy(*levels: tuple[int, float], spread: float, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return [level + spread * rng.standard_normal() for count, level in levels for _ in range(count)]


def test_a_partition_is_the_one_with_the_least_error() -> None:
    assert partition(np.array([0.0, 0.01, 0.0, 1.0, 1.01, 1.0, 0.3, 0.31])) == [3, 6]
    assert partition(np.zeros(9)) == []


@pytest.mark.parametrize("place", [2, 5, 8])
def test_a_slowdown_of_10_percent_in_ten_runs_is_found_at_its_place(place: int) -> None:
    found = false = 0
    for seed in range(20):
        series = [noisy((10, 0.0), spread=0.02, seed=100 * row + seed) for row in range(4)]
        series.append(noisy((place, 0.0), (10 - place, np.log(0.9)), spread=0.02, seed=seed))
        *others, mine = find_steps(series, least=0.03)
        found += [border.place for border in mine] == [place]
        false += any(others)
    assert found >= 18
    assert false <= 3  # one in 20 by chance


def test_series_without_a_step_have_none() -> None:
    for seed in range(20):
        series = [noisy((12, 1.0), spread=0.03, seed=1000 * row + seed) for row in range(10)]
        assert find_steps(series) == [()] * 10


def test_two_steps_of_one_series_have_intervals_around_the_truth() -> None:
    ((down, up),) = find_steps([noisy((8, 0.0), (8, -0.2), (8, 0.0), spread=0.01, seed=3)])
    assert (down.place, up.place) == (8, 16)
    assert down.low < -0.2 < down.high < 0 < up.low < 0.2 < up.high


def test_a_step_that_is_too_small_to_matter_is_none() -> None:
    series = [noisy((10, 0.0), (10, 0.02), spread=0.001, seed=5)]
    assert len(find_steps(series)[0]) == 1
    assert find_steps(series, least=0.03) == [()]


def test_few_values_and_equal_ones_have_no_step() -> None:
    assert find_steps([[0.0, 1.0, 1.0], [2.0] * 8, []]) == [(), (), ()]
