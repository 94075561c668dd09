"""Panels of the packed rhs: what packing, tiles and their shapes all speak of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tiling:
    """A panel of the packed rhs: `width` columns in `vectors` vectors, `spread` neighbouring lanes per column."""

    width: int
    vectors: int
    spread: int = 1

    def padded(self, channels: int) -> int:
        """Return the channels in whole panels."""
        return -(-channels // self.width) * self.width
