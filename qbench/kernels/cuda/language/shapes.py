"""Literal sizes of tiles, and the swizzle that keeps shared memory free of bank conflicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WARP = 32
CHUNK = 16
"""Bytes of the pieces that rows are copied and swizzled in."""


def swizzle(row: Any, chunks: int) -> Any:
    """Return what a row's chunk indices are xored with, rows being `chunks` (1, 2, 4 or 8) chunks long.

    Eight rows' equal chunks fall into different banks: 128 bytes of shared memory hold 8 / chunks rows.
    """
    return row // (8 // chunks) % chunks


@dataclass(frozen=True, slots=True)
class TileShape:
    """A block's tile: `warps_m` x `warps_n` warps of `mi` x 16 rows by `nj` x 8 columns.

    Args:
        warps_m: warps down.
        warps_n: warps across.
        mi: instruction tiles of 16 rows per warp.
        nj: instruction tiles of 8 columns per warp, an even number.
        depth_bytes: bytes of each lhs row per stage: 64, 128 or 256.
        stages: stages of shared memory, those being copied included.
    """

    warps_m: int
    warps_n: int
    mi: int
    nj: int
    depth_bytes: int
    stages: int

    @property
    def rows(self) -> int:
        """Rows of the tile."""
        return self.warps_m * self.mi * 16

    @property
    def columns(self) -> int:
        """Columns of the tile."""
        return self.warps_n * self.nj * 8

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.warps_m * self.warps_n * WARP

    @property
    def accumulators(self) -> int:
        """Accumulators of a thread."""
        return self.mi * self.nj * 4

    def stage_bytes(self, planes: int) -> int:
        """Bytes of one stage: the lhs rows and the packed rhs rows."""
        return self.rows * self.depth_bytes + self.columns * (self.depth_bytes // planes)

    @property
    def patch_words(self) -> int:
        """Words from one row to the next of a warp's patch in shared memory: 8 more than its columns, against banks."""
        return self.nj * 8 + 8

    def shared_bytes(self, planes: int) -> int:
        """Shared memory of a block: its stages, or the patches of the epilogue."""
        patches = self.warps_m * self.warps_n * self.mi * 16 * self.patch_words * 4
        return max(self.stages * self.stage_bytes(planes), patches)

    @property
    def token(self) -> str:
        """The sizes in words, e.g. `128x128x64s4`."""
        return f"{self.rows}x{self.columns}x{self.depth_bytes}s{self.stages}"
