"""Loops that seek partners among weights whose 8-bit products are summed in pairs; see `tiles.pairs`."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.jit import jit
from qbench.kernels.tiles.pairs import MOST, WINDOW


@jit
def find_partners(
    begin: int, end: int, codes: Any, width: int, depth: int, numbers: Any, safe: Any, plain: Any, fits: Any,
    partner: Any,
) -> None:  # fmt: skip
    """Write `numbers` and `safe` of `GroupOrder` for codes (channels, taps * depth); units are panels.

    `plain` (panels,) comes as True, and stays where a panel's numbers stand well as they are; `fits` (16, 16) and
    `partner` (16,) are room to work in.
    """
    channels, total = codes.shape
    for panel in range(begin, end):
        low, high = panel * width, min((panel + 1) * width, channels)
        front, back = 0, total
        for start in range(0, total, depth):
            for first in range(start, start + depth, WINDOW):
                count = min(WINDOW, start + depth - first)
                _find_fitting(codes, low, high, first, count, fits)
                if not _keep_neighbours(count, fits, partner):
                    plain[panel] = False
                pairs = _match(count, fits, partner)
                front, back = _write(numbers[panel], first, count, partner, pairs, front, back)
        safe[panel] = front // 4


@jit
def _find_fitting(codes: Any, low: int, high: int, first: int, count: int, fits: Any) -> None:
    """Write which two of `count` numbers may stand side by side."""
    for i in range(count):
        fits[i, i] = False
        for j in range(i):
            together = True
            for channel in range(low, high):
                total = np.int64(codes[channel, first + i]) + np.int64(codes[channel, first + j])
                if total > MOST or total < -MOST:
                    together = False
                    break
            fits[i, j] = fits[j, i] = together


@jit
def _keep_neighbours(count: int, fits: Any, partner: Any) -> bool:
    """Make all neighbours that fit partners; return whether those are all."""
    whole = True
    for i in range(0, count, 2):
        if fits[i, i + 1]:
            partner[i], partner[i + 1] = i + 1, i
        else:
            partner[i] = partner[i + 1] = -1
            whole = False
    return whole


@jit
def _match(count: int, fits: Any, partner: Any) -> int:
    """Find partners for those that have none, moving one pair apart where that makes two; return the pairs."""
    for i in range(count):
        for j in range(count):
            if partner[i] < 0 and partner[j] < 0 and fits[i, j]:
                partner[i], partner[j] = j, i
    for i in range(count):
        for j in range(count):
            for a in range(count):
                b = partner[a]
                if i != j and partner[i] < 0 and partner[j] < 0 and b >= 0 and fits[i, a] and fits[j, b]:
                    partner[i], partner[a], partner[j], partner[b] = a, i, b, j
    matched = 0
    for i in range(count):
        matched += int(partner[i] > i)
    return matched


@jit
def _write(
    numbers: Any, first: int, count: int, partner: Any, pairs: int, front: int, back: int
) -> tuple[int, int]:  # fmt: skip
    """Write two pairs a k-group from the front on, and what is left before the back; return both."""
    together = pairs // 2 * 2
    back -= count - 2 * together
    rest = back
    for i in range(count):
        if partner[i] > i and together > 0:
            numbers[front], numbers[front + 1] = first + i, first + partner[i]
            front += 2
            together -= 1
        elif partner[i] > i:
            numbers[rest], numbers[rest + 1] = first + i, first + partner[i]
            rest += 2
        elif partner[i] < 0:
            numbers[rest] = first + i
            rest += 1
    return front, back
