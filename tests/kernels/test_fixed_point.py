"""The law of requantizing in whole numbers beside TensorFlow Lite's own steps, on Python's unbounded integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.kernels.conv.check_fixed import worst_numbers
from qbench.kernels.conv.fixed_point import FixedPoint, fixed_point, requantize_fixed

INT32 = st.integers(-(2**31), 2**31 - 1)


def towards_zero(a: int, b: int) -> int:
    return abs(a) // b if a >= 0 else -(abs(a) // b)


def tflite(acc: int, multiplier: int, exponent: int) -> int:
    """MultiplyByQuantizedMultiplier: a saturating rounding doubling high multiply, then a rounding divide."""
    shifted = acc << max(exponent, 0)
    product = shifted * multiplier
    nudge = 2**30 if product >= 0 else 1 - 2**30
    high, right = towards_zero(product + nudge, 2**31), max(-exponent, 0)
    mask = 2**right - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def law(acc: int, multiplier: int, exponent: int) -> int:
    """The law's result, found by moving it to where u8 shows it."""
    expected = tflite(acc, multiplier, exponent)
    fixed = FixedPoint(np.array([multiplier], np.int32), np.array([exponent], np.int32), 100 - expected)
    return int(requantize_fixed(np.array([[acc]], np.int32), fixed, 0, 255)[0, 0]) - 100 + expected


@given(acc=INT32, multiplier=st.integers(2**30, 2**31 - 1), exponent=st.integers(-31, 0))
def test_any_sum_is_requantized_as_tensorflow_lite_does(acc: int, multiplier: int, exponent: int) -> None:
    assert law(acc, multiplier, exponent) == tflite(acc, multiplier, exponent)


def test_ties_and_ends_are_requantized_as_tensorflow_lite_does() -> None:
    sums, fixed = worst_numbers(np.random.default_rng(0), 4000)
    for acc, multiplier, exponent in zip(
        sums.tolist(), fixed.multiplier.tolist(), fixed.exponent.tolist(), strict=True
    ):
        assert law(acc, multiplier, exponent) == tflite(acc, multiplier, exponent)


@pytest.mark.parametrize(("acc", "expected"), [(3, 2), (-3, -1), (1, 1), (-1, 0), (5, 3), (-5, -2)])
def test_half_is_rounded_up_at_bit_31(acc: int, expected: int) -> None:
    assert law(acc, 1 << 30, 0) == expected


@pytest.mark.parametrize(("acc", "expected"), [(2, 1), (-2, -1), (6, 2), (-6, -2), (10, 3), (-10, -3)])
def test_half_is_rounded_away_from_zero_by_the_shift(acc: int, expected: int) -> None:
    assert law(acc, 1 << 30, -1) == expected


@given(scale=st.floats(2.0**-30, 2.0**20))
def test_a_scale_is_kept_to_31_bits(scale: float) -> None:
    fixed = fixed_point(np.array([scale]))
    found = float(fixed.multiplier[0]) * 2.0 ** (int(fixed.exponent[0]) - 31)
    assert abs(found - scale) <= scale * 2.0**-31
    assert 2**30 <= fixed.multiplier[0] < 2**31


def test_a_scale_below_all_shifts_is_zero() -> None:
    fixed = fixed_point(np.array([2.0**-40]))
    assert (fixed.multiplier[0], fixed.exponent[0]) == (0, 0)


@pytest.mark.parametrize(("multiplier", "exponent", "words"), [(-1, 0, "multipliers of 0"), (1, -32, "exponents in")])
def test_numbers_out_of_range_are_refused(multiplier: int, exponent: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FixedPoint(np.array([multiplier], np.int32), np.array([exponent], np.int32))
