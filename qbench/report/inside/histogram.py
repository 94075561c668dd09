"""A tensor's numbers as a small histogram: the range that its codes hold as a band, the extremes below."""

from __future__ import annotations

import html
import math

from qbench.report import words
from qbench.results.kept.analysis import Spread

_WIDE, _HIGH, _BELOW = 220, 52, 16


def histogram_svg(spread: Spread, what: str) -> str:
    """Return the histogram, bars as high as the square root of their counts, so that tails can be seen."""
    low, high = spread.minimum, spread.maximum
    first = low if spread.low is None else min(low, spread.low)
    last = high if spread.high is None else max(high, spread.high)
    room = (last - first) or 1.0
    most = max(spread.counts, default=0) or 1

    def at(value: float) -> float:
        return 2 + (_WIDE - 4) * (value - first) / room

    step = (high - low) / max(1, len(spread.counts))
    tops = [_HIGH - (_HIGH - 4) * math.sqrt(count / most) for count in spread.counts]
    bars = "".join(
        f"M{at(low + n * step):.1f} {_HIGH}V{top:.1f}H{at(low + (n + 1) * step):.1f}V{_HIGH}"
        for n, top in enumerate(tops)
        if spread.counts[n]
    )
    band = ""
    if spread.low is not None and spread.high is not None:
        wide = max(1.0, at(spread.high) - at(spread.low))
        band = f'<rect x="{at(spread.low):.1f}" y="0" width="{wide:.1f}" height="{_HIGH}" class="held"/>'
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH + _BELOW}" class="spread" role="img" aria-label="{html.escape(what)}">{band}'
        f'<path d="{bars}" class="bars"/><text x="2" y="{_HIGH + 13}">{words.significant(first)}</text>'
        f'<text x="{_WIDE - 2}" y="{_HIGH + 13}" text-anchor="end">{words.significant(last)}</text></svg>'
    )


def spread_words(spread: Spread) -> str:
    """Return what a reader should know of a histogram: extremes, what is held, what lies beyond, and the error."""
    said = [_range(spread.minimum, spread.maximum)]
    if spread.low is not None:
        said.append(f"codes hold {_range(spread.low, spread.high)}")
    if spread.saturated is not None:
        said.append(f"{words.significant(100 * spread.saturated, 2)}\N{NO-BREAK SPACE}% beyond")
    if spread.sqnr_db is not None:
        said.append(f"SQNR {words.number(spread.sqnr_db, 1)} dB")
    return ", ".join(said)


def _range(low: float | None, high: float | None) -> str:
    return f"{words.significant(low)} \N{HORIZONTAL ELLIPSIS} {words.significant(high)}"
