"""One look at the images of a pass: a sample's extremes and sums, then its numbers in their bins; `reference` says how.

Units are images. Whole groups of 16 channels are vectors, the channels behind them plain loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, float64, int32, int64

from qbench.kernels.jit import jit
from qbench.kernels.observe.blocks import HIGH, LARGEST, LEAST, LOW, WITHOUT_SIGN, ZEROS, count, look
from qbench.kernels.observe.operation import (
    EXPONENT,
    LARGEST_SEEN,
    LEAST_SEEN,
    NOT_FINITE,
    SAMPLES,
    ZEROS_SEEN,
)
from qbench.kernels.observe.reference import BINS, LANES


@jit
def _runs(x: Any, width: int, channels: int) -> Any:
    """Return how many runs of whole groups a row of pixels has, and of how many groups: one where pixels lie dense."""
    whole = channels // LANES
    if x.shape[3] == channels and channels % LANES == 0:
        return 1, width * whole
    return width, whole


@jit
def _look(x: Any, bits: Any, n: int, place: Any, facts: Any, reals: Any, sums: Any) -> None:
    """Take one image into `facts`, of which `reals` is the same memory as float32, and `sums`."""
    top, left, height, width, channels = place
    for i in range(LANES):
        reals[LOW, i], reals[HIGH, i] = np.inf, -np.inf
        facts[LARGEST, i], facts[LEAST, i], facts[ZEROS, i] = 0, -1, 0
        sums[0, i], sums[1, i], sums[2, i] = 0.0, 0.0, 0.0
    (runs, groups), first = _runs(x, width, channels), channels // LANES * LANES
    for y in range(top, top + height):
        at = ((n * x.shape[1] + y) * x.shape[2] + left) * x.shape[3]
        for i in range(runs):
            if groups:
                look(x, at + i * x.shape[3], groups, facts, sums)  # type: ignore[call-arg]
            for c in range(first, channels):
                value, lane = x[n, y, left + i, c], c - first
                size = int32(bits[n, y, left + i, c] & WITHOUT_SIGN)
                reals[LOW, lane] = min(reals[LOW, lane], value)
                reals[HIGH, lane] = max(reals[HIGH, lane], value)
                facts[LARGEST, lane] = max(facts[LARGEST, lane], size)
                if size == 0:
                    facts[ZEROS, lane] += 1
                elif facts[LEAST, lane] < 0 or size - 1 < facts[LEAST, lane]:
                    facts[LEAST, lane] = size - 1
                wide = float64(value)
                sums[0, lane] += wide
                sums[1, lane] += abs(wide)
                sums[2, lane] += wide * wide


@jit
def _join(state: Any, facts: Any, reals: Any, sums: Any) -> None:
    """Take what one image shows into what is seen so far, its sums into their row; bins grow until they hold it."""
    words, ends, factor, rows, ring = state
    before = ends[0]
    for i in range(LANES):
        ends[0], ends[1] = min(ends[0], reals[LOW, i]), max(ends[1], reals[HIGH, i])
        words[LARGEST_SEEN] = max(words[LARGEST_SEEN], int64(facts[LARGEST, i]))
        words[ZEROS_SEEN] += facts[ZEROS, i]
        if facts[LEAST, i] >= 0:
            words[LEAST_SEEN] = min(words[LEAST_SEEN], int64(facts[LEAST, i]) + 1)
    width = LANES
    while width > 1:
        width //= 2
        for i in range(width):
            for kind in range(3):
                sums[kind, i] += sums[kind, i + width]
    for kind in range(3):
        rows[words[SAMPLES], kind] = sums[kind, 0]
    words[SAMPLES] += 1
    if words[LARGEST_SEEN] >= NOT_FINITE:
        return
    low, high = float64(min(ends[0], float32(0))), float64(max(ends[1], float32(0)))
    held, wanted, first = factor[0], factor[0], np.floor(float64(min(before, float32(0))) * factor[0])
    while np.floor(high * wanted) - np.floor(low * wanted) >= BINS:
        wanted *= 0.5
        words[EXPONENT] += 1
    if wanted != held:
        _merge(ring, int64(first), wanted / held)
        factor[0] = wanted


@jit
def _merge(ring: Any, first: int, share: Any) -> None:
    """Put the bins from `first` on into bins that are 1 / share times as wide."""
    for i in range(BINS):
        ring[1, i], ring[0, i] = ring[0, i], 0
    for place in range(first, first + BINS):
        ring[0, int64(np.floor(place * share)) & (BINS - 1)] += ring[1, place & (BINS - 1)]


@jit
def _count(x: Any, n: int, place: Any, ring: Any, factor: Any) -> None:
    """Put the numbers of an image in their bins."""
    top, left, height, width, channels = place
    (runs, groups), first = _runs(x, width, channels), channels // LANES * LANES
    for y in range(top, top + height):
        at = ((n * x.shape[1] + y) * x.shape[2] + left) * x.shape[3]
        for i in range(runs):
            if groups:
                count(x, at + i * x.shape[3], groups, ring, factor)  # type: ignore[call-arg]
            for c in range(first, channels):
                value = float64(x[n, y, left + i, c])
                ring[0, int64(np.floor(value * factor)) & (BINS - 1)] += 1


@jit
def observe_f32(begin: int, end: int, x: Any, bits: Any, place: Any, state: Any, rooms: Any) -> None:
    """Take images begin..end of a tensor into what is seen of it so far.

    Args:
        begin: first image.
        end: image after the last.
        x: float32 (n, h, w, words), with its border.
        bits: the same memory as uint32.
        place: (top, left, height, width, channels) of the interior.
        state: what is seen so far, see `operation.Watch`.
        rooms: what one image shows: int32 (5, 16), the same memory as float32, float64 (3, 16).
    """
    words, _, factor, _, ring = state
    facts, reals, sums = rooms
    for n in range(begin, end):
        _look(x, bits, n, place, facts, reals, sums)
        _join(state, facts, reals, sums)
        if words[LARGEST_SEEN] < NOT_FINITE:
            _count(x, n, place, ring, factor[0])
