"""The observer: any cut into pieces gives the same histogram, memory is bounded, and damaged numbers are refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qbench.core.tensor import Floats
from qbench.errors import QBenchError
from qbench.methods import ActivationObserver, ActivationStats
from qbench.methods.activation_stats import BINS


def observe(*pieces: Floats) -> ActivationStats:
    observer = ActivationObserver()
    for piece in pieces:
        observer.update(piece)
    return observer.finish()


FLOATS = st.floats(-(2.0**60), 2.0**60, width=32)
VALUES = hnp.arrays(np.float32, st.integers(1, 60), elements=FLOATS)


@given(VALUES, st.lists(st.integers(0, 60), max_size=4))
def test_streaming_in_pieces_equals_one_go(values: Floats, cuts: list[int]) -> None:
    whole, pieces = observe(values), observe(*(piece for piece in np.split(values, sorted(cuts)) if piece.size))
    for name in ("count", "minimum", "maximum", "zeros", "smallest", "first_bin", "bin_width"):
        assert getattr(whole, name) == getattr(pieces, name)
    assert np.array_equal(whole.counts, pieces.counts)
    size = whole.absolute_maximum
    assert whole.mean == pytest.approx(pieces.mean, rel=1e-9, abs=1e-12 * size)
    assert whole.mean_abs == pytest.approx(pieces.mean_abs, rel=1e-9, abs=1e-12 * size)
    assert whole.std == pytest.approx(pieces.std, rel=1e-6, abs=1e-6 * size)


@given(VALUES)
def test_the_histogram_holds_every_number_in_its_bin(values: Floats) -> None:
    stats = observe(values)
    assert stats.counts.shape == (BINS,)
    assert stats.counts.sum() == stats.count == values.size
    places = np.floor(values.astype(np.float64) / stats.bin_width).astype(int) - stats.first_bin
    assert np.array_equal(stats.counts, np.bincount(places, minlength=BINS))


def test_statistics_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(1, 2, (7, 5, 11, 13)).astype(np.float32)
    values[values < 0] = 0
    stats = observe(*values)
    assert stats.minimum == values.min()
    assert stats.maximum == values.max()
    assert stats.mean == pytest.approx(values.mean(dtype=np.float64))
    assert stats.std == pytest.approx(values.std(dtype=np.float64))
    assert stats.mean_abs == pytest.approx(np.abs(values).mean(dtype=np.float64))
    assert stats.zeros == np.count_nonzero(values == 0)
    assert stats.smallest == values[values > 0].min()
    assert stats.never_negative
    for share in (0.5, 0.9, 0.999):
        assert stats.quantile(share) == pytest.approx(np.quantile(values, share), abs=2 * stats.bin_width)


def test_points_count_every_number_and_keep_zero_apart() -> None:
    values, counts = observe(np.array([0, 0, 0, 1, 2, -1], dtype=np.float32)).points()
    assert counts.sum() == 6
    assert counts[values == 0].sum() == 3


def test_the_histogram_is_fine_enough_for_eight_bits() -> None:
    stats = observe(np.abs(np.random.default_rng(0).normal(size=10000)).astype(np.float32))
    assert stats.bin_width <= stats.maximum / (BINS // 2)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-30, 1e30, -1e30])
def test_one_number_repeated_is_observed(value: float) -> None:
    stats = observe(np.full(10, value, dtype=np.float32))
    assert stats.count == 10
    assert stats.minimum == stats.maximum == np.float32(value)
    assert stats.std == pytest.approx(0, abs=1e-6 * abs(value))
    assert stats.counts.max() == 10


def test_memory_does_not_grow_with_the_numbers() -> None:
    observer, piece = ActivationObserver(), np.random.default_rng(0).normal(size=1 << 21).astype(np.float32)
    tracemalloc.start()
    try:
        for _ in range(3):
            observer.update(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < piece.nbytes  # pieces of a quarter million numbers, whatever is handed over


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_damaged_numbers_are_refused_in_one_line(value: float) -> None:
    with pytest.raises(QBenchError, match=r"NaN or infinite") as caught:
        observe(np.array([1.0, value], dtype=np.float32))
    assert "\n" not in str(caught.value)


def test_nothing_observed_is_refused() -> None:
    with pytest.raises(QBenchError, match="never observed"):
        ActivationObserver().finish()


def test_empty_pieces_change_nothing() -> None:
    assert observe(np.ones(3, np.float32), np.empty((0, 4), np.float32)).count == 3
