"""What is seen of a tensor, in readable NumPy: the law that the compiled loops follow to the last bit.

Sums are float64 and of each sample by itself. Its numbers go in order (pixel by pixel, channels innermost) to 16 lanes,
channel c to lane c % 16; each lane adds one after the other, then lanes 8 apart are added, then 4, 2 and 1 apart.

The histogram has bins 2**k wide that start at whole multiples of 2**k. When a number falls outside, neighbours merge
and k grows by one. Bin i holds the only multiple there that leaves i on division by 4096: a ring, in which nothing
moves while k stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

BINS = 4096
LEAST_EXPONENT = -120
"""k is no smaller: 2**-k is to stay in float32."""
LANES = 16
_PIECE = 1 << 12  # rows of lanes looked at a time: bounds the temporaries


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is seen of some samples of a tensor.

    Args:
        count: numbers.
        zeros: how many are exactly zero.
        minimum: the smallest number; infinite where none was seen.
        maximum: the largest.
        smallest: the smallest |x| that is not zero; infinite where all are zero.
        finite: whether no number was NaN or infinite; nothing else holds where one was.
        sums: float64 (samples, 3): of x, of |x| and of x^2.
        exponent: k.
        ring: int64 (4096,).
    """

    count: int
    zeros: int
    minimum: float
    maximum: float
    smallest: float
    finite: bool
    sums: Doubles
    exponent: int
    ring: Counts


NOTHING = Seen(0, 0, math.inf, -math.inf, math.inf, True, np.zeros((0, 3)), LEAST_EXPONENT, np.zeros(BINS, np.int64))
"""What is seen of no samples."""


def seen_f32(x: npt.NDArray[np.float32]) -> Seen:
    """Return what is seen of samples, float32 (n, ..., channels)."""
    samples = [np.ascontiguousarray(sample).reshape(-1, sample.shape[-1]) for sample in x]
    if not all(np.isfinite(sample).all() for sample in samples):
        return replace(NOTHING, finite=False)
    if not x.size:
        return NOTHING
    low, high = float(x.min()) + 0.0, float(x.max()) + 0.0  # not -0.0
    exponent, ring = exponent_of(low, high), np.zeros(BINS, np.int64)
    for sample in samples:
        for part in np.array_split(sample.ravel(), -(-sample.size // (_PIECE * LANES))):
            places = np.floor(part.astype(np.float64) * 2.0**-exponent).astype(np.int64) % BINS
            ring += np.bincount(places, minlength=BINS)
    least = min(float(np.min(np.abs(one), where=one != 0, initial=np.inf)) for one in samples)
    zeros = sum(int(np.count_nonzero(one == 0)) for one in samples)
    return Seen(x.size, zeros, low, high, least, True, np.stack([_sums(one) for one in samples]), exponent, ring)


def _sums(rows: npt.NDArray[np.float32]) -> Doubles:
    """Return the sums of x, |x| and x^2 of a sample (pixels, channels), float64 (3,)."""
    lanes = np.zeros((3, LANES))
    for part in _in_lanes(rows):
        for lane, numbers in zip(lanes, (part, np.abs(part), np.square(part)), strict=True):
            lane[:] = np.add.accumulate(np.concatenate([lane[None], numbers]))[-1]
    width = LANES
    while width > 1:
        width //= 2
        lanes = lanes[:, :width] + lanes[:, width:]
    return lanes[:, 0]


def _in_lanes(rows: npt.NDArray[np.float32]) -> Iterator[Doubles]:
    """Yield the numbers of a sample in lanes, float64 (rows, 16), with zeros where a pixel's channels end."""
    groups = -(-rows.shape[1] // LANES)
    for part in np.array_split(rows, -(-len(rows) * groups // _PIECE)):
        padded = np.zeros((len(part), groups * LANES))
        padded[:, : rows.shape[1]] = part
        yield padded.reshape(-1, LANES)


def exponent_of(low: float, high: float) -> int:
    """Return the smallest k at which 4096 bins hold a range and zero."""
    low, high, exponent = min(low, 0.0), max(high, 0.0), LEAST_EXPONENT
    while math.floor(high * 2.0**-exponent) - math.floor(low * 2.0**-exponent) >= BINS:
        exponent += 1
    return exponent


def joined(first: Seen, second: Seen) -> Seen:
    """Return what is seen of the samples of both."""
    low, high = min(first.minimum, second.minimum), max(first.maximum, second.maximum)
    exponent = exponent_of(low, high)
    return Seen(
        first.count + second.count, first.zeros + second.zeros, low, high, min(first.smallest, second.smallest),
        first.finite and second.finite, np.concatenate([first.sums, second.sums]), exponent,
        _coarser(first, exponent) + _coarser(second, exponent),
    )  # fmt: skip


def _coarser(seen: Seen, exponent: int) -> Counts:
    """Return the ring of `seen` with bins 2**exponent wide, no narrower than they are."""
    if exponent == seen.exponent or not seen.count:
        return seen.ring
    held = math.floor(min(seen.minimum, 0.0) * 2.0**-seen.exponent) + np.arange(BINS)
    found = np.zeros(BINS, np.int64)
    np.add.at(found, (held >> (exponent - seen.exponent)) % BINS, seen.ring[held % BINS])
    return found


def grid_errors_f64(grids: Doubles, values: Doubles, mass: Doubles, levels: int) -> Doubles:
    """Return the sum of squared errors when each value becomes the nearest level of a grid, float64 (n,).

    Args:
        grids: float64 (n, 2): step and zero point; level i is (i - zero point) * step.
        values: float64 (m,), ascending.
        mass: how often each value is, float64 (m,).
        levels: of each grid.
    """
    sums = running_sums(values, mass)
    found = np.zeros(len(grids))
    for place, (step, zero) in enumerate(grids):
        level = (np.arange(levels) - zero) * step
        cuts = [0, *np.searchsorted(values, 0.5 * (level[1:] + level[:-1])), len(values)]
        count, first, second = np.diff(sums[:, cuts])
        found[place] = np.sum(second - 2 * level * first + np.square(level) * count)
    return found


def running_sums(values: Doubles, mass: Doubles) -> Doubles:
    """Return the running sums of mass, mass times value and mass times its square, float64 (3, m + 1) from 0 on."""
    moments = np.stack([mass, mass * values, mass * np.square(values)])
    return np.concatenate([np.zeros((3, 1)), np.cumsum(moments, axis=1)], axis=1)
