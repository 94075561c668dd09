"""Weights and channels' numbers in the order in which strips read them: block by block, vector by vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.depthwise.fields import VECTORS, blocks_of
from qbench.kernels.depthwise.taps import Pair, pairs_of
from qbench.kernels.layout import aligned
from qbench.kernels.tiles.targets import target_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of so many channels (whole sixteens) on a variant that has strips."""

    channels: int
    variant: str

    @property
    def full(self) -> int:
        """Channels of a whole block."""
        return blocks_of(self.variant)[0]

    def firsts(self) -> list[tuple[int, int]]:
        """Return every block's first channel and its channels."""
        found: list[tuple[int, int]] = []
        for taken in (*[self.full] * (self.channels // self.full), *blocks_of(self.variant)[1:]):
            first = sum(found[-1]) if found else 0
            if taken == self.full or self.channels & taken:
                found.append((first, taken))
        return found

    def in_lanes(self, values: Array) -> Array:
        """Return values (channels, ...) as (blocks, vectors, lanes, ...); lane 4 q + i of vector j: 16 q + 4 j + i."""
        firsts, rest = self.firsts(), values.shape[1:]
        full = np.zeros((len(firsts), self.full, *rest), values.dtype)
        for block, (first, taken) in enumerate(firsts):
            part = values[first : first + taken]
            full[block, : len(part)] = part
        split = full.reshape(len(firsts), self.full // 16, VECTORS, 4, *rest).swapaxes(1, 2)
        return split.reshape(len(firsts), VECTORS, self.full // VECTORS, *rest)

    def weights(self, rhs: npt.NDArray[np.int8], geometry: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Return s8 codes (channels, kh, kw) as strips of that geometry read them, blocks one behind the other."""
        if target_of(self.variant).dot == "vnni":
            return _packed(self._quads(rhs))
        return _packed(self._pairs(rhs, pairs_of(*geometry)))

    def _quads(self, rhs: npt.NDArray[np.int8]) -> Array:
        """Return (blocks, kw, groups of four rows, vectors, lanes, 4)."""
        channels, kh, kw = rhs.shape
        groups = -(-kh // 4)
        rows = np.zeros((channels, 4 * groups, kw), np.int8)
        rows[:, :kh] = rhs
        lanes = self.in_lanes(rows)
        return lanes.reshape(*lanes.shape[:3], groups, 4, kw).transpose(0, 5, 3, 1, 2, 4)

    def _pairs(self, rhs: npt.NDArray[np.int8], pairs: list[Pair]) -> Array:
        """Return int16 (blocks, pairs, vectors, lanes, 2)."""
        taken = np.zeros((len(rhs), len(pairs), 2), np.int16)
        for number, pair in enumerate(pairs):
            for side, tap in enumerate(pair):
                if tap is not None:
                    taken[:, number, side] = rhs[:, tap[0], tap[1]]
        return self.in_lanes(taken).transpose(0, 3, 1, 2, 4)


def _packed(values: Array) -> npt.NDArray[np.uint8]:
    """Return the bytes of an array at an address that is a multiple of 64."""
    data = aligned(values.nbytes)
    data[:] = np.ascontiguousarray(values).ravel().view(np.uint8)
    return data
