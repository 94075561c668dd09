"""Which weights two 8-bit products of which fit 16 bits, and k-groups of such weights.

CPUs without a dot instruction multiply u8 by s8 and sum pairs to 16 bits in one instruction that saturates, which is
where other libraries lose exactness. Here the weights are looked at when they are packed. Two numbers of the depth may
stand side by side in a panel where 255 times the sum of their weights stays in 16 bits for every channel. A k-group is
any four numbers out of a *window* of 16 that lie side by side in the lhs, so partners are sought there; a k-group of
two such pairs is *safe*. Each panel takes those first that are safe as they stand, then those that must be chosen out
of a window, an instruction more, and the rest with both sides widened, at 0.6 of the speed. Weights of 7 bits and fewer
are safe as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.program import run_task
from qbench.kernels.tasks import task_of

MOST = 128
"""The most that two weights of one sign may sum to: 255 * 128 fits 16 bits, 255 * 129 does not."""
WINDOW = 16
"""Numbers of the lhs among which a k-group is chosen: what `vpshufb` chooses from."""

AS_THEY_STAND, CHOSEN, UNSAFE = range(3)
"""Kinds of k-groups, in the order in which they are taken."""
_LOW = np.int64(0xFFFFFFFF)
LEAST_SAFE = 0.25
"""The share of safe k-groups from which on an order pays: widening is 1.7 times slower, choosing numbers a sixth."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupOrder:
    """The k-groups of every panel, in order.

    Args:
        taken: int64 (panels, k_groups): the k-group with which a window begins as numbers stand, and above 32 bits a
            byte for each number that is taken of the window.
        ends: int64 (panels, 2), where those end that are safe as they stand, and all safe ones.
    """

    taken: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @property
    def pays(self) -> bool:
        """Whether so many k-groups are safe that choosing numbers is faster than to widen all as they stand."""
        return bool(self.ends[:, 1].sum() > LEAST_SAFE * self.taken.size)

    def apply(self, codes: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
        """Return codes (channels, 4 * k_groups) in this order, the channels of a panel being `width`."""
        ordered = np.empty_like(codes)
        for panel, taken in enumerate(self.taken):
            channels = slice(panel * width, (panel + 1) * width)
            ordered[channels] = codes[channels][:, numbers_of(taken)]
        return ordered

    def places(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return `taken` with byte offsets of windows, given those (k_groups,) of k-groups as numbers stand."""
        return np.asarray(offsets[self.taken & _LOW] | self.taken & ~_LOW)


def numbers_of(taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of the depth (4 * k_groups,) that one panel takes."""
    within = (taken >> 32).astype(np.uint32).view(np.uint8)
    return np.asarray(np.repeat(4 * (taken & _LOW), 4) + within)


def group_order(codes: npt.NDArray[np.int8], width: int, unit: int, depth: int) -> GroupOrder | None:
    """Return the k-groups of codes (channels, 4 * k_groups), None where all are safe as they stand.

    Panels are of `width` channels; each kind begins after whole `unit`s; a tap has `depth` numbers.
    """
    if np.abs(codes.astype(np.int16)).max(initial=0) <= MOST // 2:
        return None
    panels, k_groups = -(-len(codes) // width), codes.shape[1] // 4
    numbers, kinds = np.empty((panels, 4 * k_groups), np.int64), np.empty((panels, k_groups), np.int64)
    room = np.empty((WINDOW, WINDOW), np.bool_), np.empty(WINDOW, np.int64), np.empty((WINDOW, width), np.int32)
    arguments = (np.ascontiguousarray(codes), width, depth, numbers, kinds, *room)
    run_task(task_of("qbench.kernels.pack.partners:find_partners", arguments, units=panels))
    if not kinds.any():
        return None
    taken = np.take_along_axis(_taken(numbers, kinds, depth), np.argsort(kinds, axis=1, kind="stable"), axis=1)
    ends = np.stack([(kinds <= kind).sum(axis=1) for kind in (AS_THEY_STAND, CHOSEN)], axis=1)
    return GroupOrder(taken, np.ascontiguousarray(ends // unit * unit))


def _taken(numbers: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], depth: int) -> npt.NDArray[np.int64]:
    """Return `GroupOrder.taken` of numbers (panels, 4 * k_groups); what is safe as it stands begins its own window."""
    groups = numbers.reshape(*kinds.shape, 4)
    first = groups[:, :, 0]
    begin = np.where(kinds == AS_THEY_STAND, first, first - first % depth % WINDOW)
    selectors = (groups - begin[:, :, None]).astype(np.uint8).view(np.uint32)[:, :, 0].astype(np.int64)
    return np.asarray(begin // 4 | selectors << 32)
