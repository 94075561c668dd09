import math

import pytest

from qbench.metrics import kind
from qbench.report import words


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.005, 2, "1.00"),
        (-0.25, 2, "\N{MINUS SIGN}0.25"),
        (-0.001, 2, "0.00"),
        (12340.4, 0, "12\N{NARROW NO-BREAK SPACE}340"),
        (None, 2, words.ABSENT),
        (math.nan, 2, words.ABSENT),
    ],
)
def test_numbers_have_true_minus_signs_and_thin_spaces(value: float | None, digits: int, text: str) -> None:
    assert words.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.012345, "0.0123"), (3.14159, "3.14"), (99.94, "99.9"), (1234.5, "1 234")]
)
def test_significant_digits_are_three(value: float, text: str) -> None:
    assert words.significant(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, words.ABSENT), (12, "12 B"), (134_861, "135 kB"), (1_078_888, "1.08 MB"), (2e9, "2.00 GB")],
)
def test_sizes_are_powers_of_1000(value: float | None, text: str) -> None:
    assert words.size(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.50 s"), (0.00385, "3.85 ms"), (5.6e-5, "56.0 µs"), (3e-9, "3.00 ns"), (None, words.ABSENT)],
)
def test_times_carry_a_unit_that_fits(value: float | None, text: str) -> None:
    assert words.seconds(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_small_p_values_are_not_zero() -> None:
    assert [words.p_value(p) for p in (1e-9, 0.0123, 0.5, None)] == ["< 0.001", "0.012", "0.50", words.ABSENT]


def test_durations_and_rates_and_intervals() -> None:
    assert [words.duration(s) for s in (42.4, 251.0, None)] == ["42 s", "4 min 11 s", words.ABSENT]
    assert [words.rate(r) for r in (99.95, 523.6)] == ["100.0", "524"]
    assert words.interval(kind("top1_drop_points").of(0.2, low=-0.1, high=0.5)) == (
        "\N{MINUS SIGN}0.10\N{NARROW NO-BREAK SPACE}…\N{NARROW NO-BREAK SPACE}0.50"
    )
    assert words.interval(kind("mcnemar_p").of(0.2)) == ""


@pytest.mark.parametrize(("value", "text"), [(None, words.ABSENT), (2.854, "2.85"), (0.5, "0.50"), (0.00423, "0.0042")])
def test_a_factor_far_below_one_is_no_zero(value: float | None, text: str) -> None:
    assert words.ratio(value) == text
