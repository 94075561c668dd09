"""Which weights two 8-bit products of which fit 16 bits, and k-groups of such weights.

CPUs without a dot instruction multiply u8 by s8 and sum pairs to 16 bits in one instruction that saturates, which is
where other libraries lose exactness. Here the weights are looked at when they are packed. Two numbers of the depth may
stand side by side in a panel where 255 times the sum of their weights stays in 16 bits for every channel. A k-group is
any four numbers out of a *window* of 16 that lie side by side in the lhs, so partners are sought there; a k-group of
two such pairs is *safe*. Each panel takes its safe k-groups first, by that instruction, and the rest with both sides
widened, at half the speed. Weights of 7 bits and fewer are safe as they stand.
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

LEAST_SAFE = 0.25
"""The share of safe k-groups from which on an order pays: widening is 1.7 times slower, choosing numbers a sixth."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupOrder:
    """The k-groups of every panel, in order.

    Args:
        numbers: int32 (panels, 4 * k_groups), the number of the depth that each place takes.
        safe: int64 (panels,), how many of the first k-groups are safe.
        depth: numbers of one tap, a multiple of 4; windows begin anew with every tap.
    """

    numbers: npt.NDArray[np.int32]
    safe: npt.NDArray[np.int64]
    depth: int

    @property
    def pays(self) -> bool:
        """Whether so many k-groups are safe that choosing numbers is faster than to widen all as they stand."""
        return bool(self.safe.sum() > LEAST_SAFE * self.numbers.size / 4)

    def apply(self, codes: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
        """Return codes (channels, 4 * k_groups) in this order, the channels of a panel being `width`."""
        ordered = np.empty_like(codes)
        for panel, numbers in enumerate(self.numbers):
            channels = slice(panel * width, (panel + 1) * width)
            ordered[channels] = codes[channels][:, numbers]
        return ordered

    def places(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return (panels, k_groups): the byte offset of each k-group's window, and above 32 bits what it takes of it.

        Args:
            offsets: byte offsets of k-groups as they stand in the lhs, one behind the other.
        """
        groups = self.numbers.reshape(len(self.numbers), -1, 4)
        within = groups % self.depth % WINDOW
        first = groups[:, :, 0] - within[:, :, 0]
        selectors = within.astype(np.uint8).view(np.uint32)[:, :, 0].astype(np.int64)
        return np.asarray(offsets[first // 4] | selectors << 32)


def group_order(codes: npt.NDArray[np.int8], width: int, unit: int, depth: int) -> GroupOrder | None:
    """Return the k-groups of codes (channels, 4 * k_groups), None where all are safe as they stand.

    The safe ones of a panel of `width` channels come first, as many as make whole `unit`s; a tap has `depth` numbers.
    """
    if np.abs(codes.astype(np.int16)).max(initial=0) <= MOST // 2:
        return None
    panels = -(-len(codes) // width)
    numbers, safe = np.empty((panels, codes.shape[1]), np.int32), np.empty(panels, np.int64)
    plain, fits, partner = np.ones(panels, np.bool_), np.empty((WINDOW, WINDOW), np.bool_), np.empty(WINDOW, np.int64)
    arguments = (np.ascontiguousarray(codes), width, depth, numbers, safe, plain, fits, partner)
    run_task(task_of("qbench.kernels.pack.partners:find_partners", arguments, units=panels))
    return None if plain.all() else GroupOrder(numbers, safe // unit * unit, depth)
