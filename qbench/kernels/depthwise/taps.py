"""The pairs of taps that strips of 16-bit products (`vpmaddwd`) sum by one instruction.

Two rows of a column make a pair, which serves every window of the strip that sees the column. The last of an odd number
of rows is paired along itself, columns 0 and 1, 2 and 3, ...: a window that begins with an odd column has zeros for
weights where it does not reach. 3 x 3 taps are 5 pairs, 5 x 5 are 13.
"""

from __future__ import annotations

from dataclasses import dataclass

Tap = tuple[int, int] | None
"""A (row, column) of the window, or of the strip; None beyond it."""
Pair = tuple[Tap, Tap]


@dataclass(frozen=True, slots=True)
class Source:
    """Two places (row, column) of the strip's input, and the windows that see them: pixel and pair of weights."""

    places: Pair
    uses: tuple[tuple[int, Pair], ...]


def sources_of(pixels: int, kh: int, kw: int, step: int, dilation: int) -> list[Source]:
    """Return the pairs that are read by a strip of `pixels`, windows `step` columns apart, from left to right."""
    windows = [[p * step + k * dilation for k in range(kw)] for p in range(pixels)]
    columns = sorted({column for seen in windows for column in seen})
    found: dict[Pair, Source] = {}
    for column in columns:
        places: list[Pair] = [((row, column), (row + 1, column)) for row in range(0, kh - 1, 2)]
        if kh % 2:
            couple = (column - column % 2, column - column % 2 + 1) if dilation == 1 else (column, -1)
            one, two = ((kh - 1, c) if c in columns else None for c in couple)
            places.append((one, two))
        for pair in places:
            if pair not in found:
                uses = [(pixel, (_tap(seen, pair[0]), _tap(seen, pair[1]))) for pixel, seen in enumerate(windows)]
                found[pair] = Source(pair, tuple(use for use in uses if any(use[1])))
    return list(found.values())


def pairs_of(pixels: int, kh: int, kw: int, step: int, dilation: int) -> list[Pair]:
    """Return the pairs of weights in the order in which they are laid out."""
    uses = (use for source in sources_of(pixels, kh, kw, step, dilation) for use in source.uses)
    return list(dict.fromkeys(pair for _, pair in uses))


def _tap(seen: list[int], place: Tap) -> Tap:
    """Return the tap that a window which sees these columns has at a place, None where it has none."""
    return (place[0], seen.index(place[1])) if place is not None and place[1] in seen else None
