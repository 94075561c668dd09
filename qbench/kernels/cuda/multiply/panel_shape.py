"""Literal sizes of panels, and where things lie in a block's shared memory."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.kernels.cuda.language.shapes import WARP
from qbench.kernels.cuda.multiply.products import Product
from qbench.kernels.cuda.multiply.skinny import BLOCK_BYTES, COLUMNS, HALF, lhs_block_bytes


@dataclass(frozen=True, slots=True)
class PanelShape:
    """A block's sizes: `across` tiles of 16 columns, each by `along` warps that share the depth, `units` groups each.

    Args:
        tall: lhs rows, a multiple of 8.
        across: column tiles.
        along: warps of a column tile.
        units: groups of a stage that a warp multiplies.
        stages: stages of shared memory, those being copied included.
    """

    tall: int
    across: int
    along: int = 1
    units: int = 1
    stages: int = 4

    @property
    def columns(self) -> int:
        """Columns of the panel."""
        return COLUMNS * self.across

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return WARP * self.across * self.along

    @property
    def groups(self) -> int:
        """Groups of a stage."""
        return self.along * self.units

    @property
    def is_split(self) -> bool:
        """Whether a column's depth is shared by warps, whose sums then meet in shared memory."""
        return self.along > 1

    @property
    def totals(self) -> int:
        """Totals of a thread: of a lane's own columns and rows, or side by side in a column where warps share it."""
        return self.tall // (2 * self.along)

    @property
    def pitch_words(self) -> int:
        """Words from one column's sums to the next in shared memory: 8 or 24 more than a multiple of the banks."""
        return HALF if self.tall == HALF else self.tall + HALF

    @property
    def token(self) -> str:
        """The sizes in words, e.g. `16x64a2u1s6`."""
        return f"{self.tall}x{self.columns}a{self.along}u{self.units}s{self.stages}"


@dataclass(frozen=True, slots=True)
class PanelBytes:
    """Where things lie in shared memory: `blocks` blocks of depth are a group."""

    product: Product
    shape: PanelShape
    blocks: int

    @property
    def depth(self) -> int:
        """Bytes of a lhs row in a stage."""
        return self.shape.groups * self.blocks * lhs_block_bytes(self.product)

    @property
    def lhs(self) -> int:
        """Bytes of a stage's lhs rows."""
        return self.shape.tall * self.depth

    @property
    def share(self) -> int:
        """Bytes of a warp's weights."""
        return self.shape.units * self.blocks * BLOCK_BYTES

    @property
    def rhs(self) -> int:
        """Bytes of all warps' weights."""
        return self.shape.across * self.shape.along * self.share

    @property
    def scales(self) -> int:
        """Bytes of a stage's scales, group after group."""
        return 4 * self.shape.columns * self.shape.groups

    @property
    def stage(self) -> int:
        """Bytes of a stage."""
        return self.lhs + self.rhs + self.scales

    @property
    def table(self) -> int:
        """Bytes of one group's sums, where warps share the depth."""
        return 4 * self.shape.columns * self.shape.pitch_words

    @property
    def sums(self) -> int:
        """Bytes of the sums of two stages: one is written while the other is read."""
        return 2 * self.shape.groups * self.table if self.shape.is_split else 0

    @property
    def total(self) -> int:
        """Bytes of a block: stages and sums, or the patch that the epilogue reads."""
        return max(self.shape.stages * self.stage + self.sums, 4 * self.shape.tall * self.shape.columns)
