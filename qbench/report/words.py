"""Numbers as words: how page and plots write sizes, rates, drops, intervals and p-values. Nothing is computed."""

from __future__ import annotations

import math

from qbench.core.trial import Metric

ABSENT = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a true minus sign and thin spaces between thousands, e.g. `12 340`."""
    if value is None or value != value:
        return ABSENT
    text = f"{value:,.{digits}f}".replace(",", _THIN)
    if text.startswith("-"):
        text = text[1:] if not any(letter in "123456789" for letter in text) else _MINUS + text[1:]
    return text


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits and no exponent, e.g. `0.0123`, `3.14`, `1 240`."""
    if value is None or value != value:
        return ABSENT
    if value == 0:
        return "0"
    return number(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))


def size(value: float | None) -> str:
    """Return bytes as `B`, `kB` or `MB` (powers of 1000) with three significant digits."""
    if value is None:
        return ABSENT
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{significant(value / factor)}{_THIN}{unit}"
    return f"{number(value, 0)}{_THIN}B"


def rate(value: float | None) -> str:
    """Return images per second: no digits after the point from 100 on, three significant digits below."""
    return number(value, 0) if value is not None and value >= 100 else significant(value)


def ratio(value: float | None) -> str:
    """Return a factor with two digits behind the point, of small ones two that say something, e.g. `2.85`, `0.0042`."""
    return number(value) if value is None or value >= 0.1 else significant(value, 2)


def times(value: float | None) -> str:
    """Return a factor with its sign, as in 2.85 times."""
    return ABSENT if value is None else f"{ratio(value) if value < 10 else number(value, 1)}{TIMES}"


def p_value(value: float | None) -> str:
    """Return a p-value with two digits, `< 0.001` below that."""
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. `1 run`, `2 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float | None) -> str:
    """Return a time with a unit that leaves one to three digits before the point."""
    if value is None or value != value:
        return ABSENT
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= factor:
            return f"{significant(value / factor)}{_THIN}{unit}"
    return f"{significant(value / 1e-9)}{_THIN}ns"


def duration(value: float | None) -> str:
    """Return minutes and seconds, e.g. `4 min 12 s`."""
    if value is None:
        return ABSENT
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def interval(metric: Metric | None, digits: int = 2) -> str:
    """Return `low … high`, or "" where there is no interval."""
    if metric is None or metric.low is None or metric.high is None:
        return ""
    return f"{number(metric.low, digits)}{_THIN}…{_THIN}{number(metric.high, digits)}"
