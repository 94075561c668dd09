"""Loops that seek partners among weights whose 8-bit products are summed in pairs; see `tiles.pairs`."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.jit import jit
from qbench.kernels.tiles.pairs import AS_THEY_STAND, CHOSEN, MOST, UNSAFE, WINDOW

NOBODY, TAKEN = -1, -2


@jit
def find_partners(
    begin: int, end: int, codes: Any, width: int, depth: int, numbers: Any, kinds: Any, fits: Any, partner: Any,
    columns: Any,
) -> None:  # fmt: skip
    """Write k-groups of codes (channels, taps * depth), window by window; units are panels of `width` channels.

    `numbers` (panels, 4 * k_groups) is what each place takes, `kinds` (panels, k_groups) one of the above; `fits`
    (16, 16), `partner` (16,) and `columns` (16, width) are room to work in.
    """
    channels, total = codes.shape
    for panel in range(begin, end):
        low, high = panel * width, min((panel + 1) * width, channels)
        for start in range(0, total, depth):
            for first in range(start, start + depth, WINDOW):
                count = min(WINDOW, start + depth - first)
                _find_fitting(codes, low, high, first, count, fits, columns)
                _keep_neighbours(count, fits, partner)
                _match(count, fits, partner)
                _write(numbers[panel], kinds[panel], first, count, partner)


@jit
def _find_fitting(codes: Any, low: int, high: int, first: int, count: int, fits: Any, columns: Any) -> None:
    """Write which two of `count` numbers may stand side by side; a number's weights are copied side by side before."""
    channels = high - low
    for i in range(count):
        for channel in range(channels):
            columns[i, channel] = codes[low + channel, first + i]
    for i in range(count):
        fits[i, i] = False
        for j in range(i):
            most = np.int32(0)
            for channel in range(channels):
                most = max(most, abs(np.int32(columns[i, channel] + columns[j, channel])))
            fits[i, j] = fits[j, i] = most <= MOST


@jit
def _keep_neighbours(count: int, fits: Any, partner: Any) -> None:
    """Make all neighbours that fit partners."""
    for i in range(0, count, 2):
        partner[i], partner[i + 1] = (i + 1, i) if fits[i, i + 1] else (NOBODY, NOBODY)


@jit
def _match(count: int, fits: Any, partner: Any) -> None:
    """Find partners for those that have none, moving one pair apart where that makes two."""
    for i in range(count):
        for j in range(count):
            if partner[i] == NOBODY and partner[j] == NOBODY and fits[i, j]:
                partner[i], partner[j] = j, i
    for i in range(count):
        if partner[i] != NOBODY:
            continue
        for j in range(count):
            for a in range(count):
                b = partner[a]
                alone = i != j and partner[i] == NOBODY and partner[j] == NOBODY
                if alone and b != NOBODY and fits[i, a] and fits[j, b]:
                    partner[i], partner[a], partner[j], partner[b] = a, i, b, j


@jit
def _write(numbers: Any, kinds: Any, first: int, count: int, partner: Any) -> None:
    """Write the k-groups of a window: two pairs that stand together, any two pairs, what is left."""
    at, group = first, first // 4
    for i in range(0, count, 4):
        if partner[i] == i + 1 and partner[i + 2] == i + 3:
            for j in range(i, i + 4):
                numbers[at], partner[j] = first + j, TAKEN
                at += 1
            kinds[group] = AS_THEY_STAND
            group += 1
    for i in range(count):
        if partner[i] > i:
            numbers[at], numbers[at + 1] = first + i, first + partner[i]
            at += 2
            if at % 4 == 0:
                kinds[group] = CHOSEN
                group += 1
    for i in range(count):
        if partner[i] == NOBODY:
            numbers[at] = first + i
            at += 1
    for left in range(group, (first + count) // 4):
        kinds[left] = UNSAFE
