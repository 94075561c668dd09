"""Which weights two 8-bit products of which fit 16 bits, and the order of k-groups that this gives.

CPUs without a dot instruction multiply u8 by s8 and sum pairs to 16 bits in one instruction that saturates, which is
where other libraries lose exactness. Here the weights are looked at when they are packed: a k-group (two pairs) is
*safe* in a panel where 255 times any pair's sum stays in 16 bits. Each panel takes its safe k-groups first, by that
instruction, and the rest with both sides widened, by a third more instructions. Weights of 7 bits and fewer are safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 128
"""The most a pair of weights of one sign may sum to: 255 * 128 fits 16 bits, 255 * 129 does not."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupOrder:
    """The order of k-groups, panel by panel.

    Args:
        k_groups: int64 (panels, k_groups), the k-group that each place takes.
        safe: int64 (panels,), how many of the first are safe.
    """

    k_groups: npt.NDArray[np.int64]
    safe: npt.NDArray[np.int64]

    def apply(self, codes: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
        """Return codes (channels, 4 * k_groups) in this order, the channels of a panel being `width`."""
        groups = codes.reshape(len(codes), -1, 4)
        panel_of = np.arange(len(codes)) // width
        ordered: npt.NDArray[Any] = np.take_along_axis(groups, self.k_groups[panel_of][:, :, None], axis=1)
        return ordered.reshape(codes.shape)


def safe_groups(codes: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """Return (channels, k_groups): whether both pairs of four codes (channels, 4 * k_groups) fit."""
    pairs = codes.astype(np.int16).reshape(len(codes), -1, 2, 2)
    above, below = np.maximum(pairs, 0).sum(axis=-1), np.minimum(pairs, 0).sum(axis=-1)
    return np.asarray(((above <= MOST) & (below >= -MOST)).all(axis=-1))


def group_order(codes: npt.NDArray[np.int8], width: int, unit: int) -> GroupOrder | None:
    """Return the order of the k-groups of codes (channels, 4 * k_groups), None where all are safe as they stand.

    The safe ones of a panel of `width` channels come first, as many as make whole `unit`s.
    """
    safe = safe_groups(codes)
    missing = -len(safe) % width
    panels = np.pad(safe, ((0, missing), (0, 0)), constant_values=True).reshape(-1, width, safe.shape[1]).all(axis=1)
    if panels.all():
        return None
    order = np.argsort(~panels, axis=1, kind="stable").astype(np.int64)
    return GroupOrder(order, panels.sum(axis=1).astype(np.int64) // unit * unit)
