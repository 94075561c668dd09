"""The three transforms of F(4 x 4, 3 x 3) and F(3 x 3, 3 x 3) in whole numbers, and when they are exact.

A tile of 6 x 6 codes d and a channel's 3 x 3 weights g give 4 x 4 sums (Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016, equation 8, with the points 0, 1, -1, 2, -2):

    Y = A ((G g G') * (B d B')) A'        36 products per channel in place of 144

G holds sixths and twenty-fourths there. Here its rows are multiplied by 24, or as much less as leaves whole numbers,
and A makes up for it, so that A's four rows give 24, 12, 6 and 6 times the sums (`FACTORS`). Everything is a whole
number: |B d B'| is at most 68 * 255 and |G g G'| at most 49 * 128, so both fit 16 bits, which dot instructions
multiply and add up modulo 2 ** 32. What comes out is 2 ** a * 9 * Y modulo 2 ** 32, with a at most 6. Nine has an
inverse modulo 2 ** 32; multiplied by it, and shifted down by a bits, what is left is Y modulo 2 ** 26: Y itself where
`fits` holds, whatever wrapped around in between.

F(3, 3) does without the point -2: five positions of the same transformed weights in a direction, so that 14 pixels are
4 + 4 + 3 + 3 and not four times 4. Its B is smaller, its A's rows give 12, 6 and 6 times the sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE, OUT, KERNEL = 6, 4, 3
POSITIONS, TAPS = SIDE * SIDE, KERNEL * KERNEL
WEIGHTS = np.array([[6, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 6]], np.int64)
"""G of G g G', rows multiplied."""


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One direction of a tile: of `out` pixels.

    Args:
        positions: rows of `WEIGHTS` that it has products with.
        input: B of B d B', (positions, out + 2).
        output: A of A m A', (out, positions), rows as they belong to `WEIGHTS`.
        factors: what the rows of A m A' are too large.
    """

    positions: tuple[int, ...]
    input: npt.NDArray[np.int64]
    output: npt.NDArray[np.int64]
    factors: tuple[int, ...]

    @property
    def out(self) -> int:
        """Pixels."""
        return len(self.factors)

    @property
    def side(self) -> int:
        """Codes that they are summed from, and positions."""
        return len(self.positions)


FOUR = Direction(
    (0, 1, 2, 3, 4, 5),
    np.array(
        [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
         [0, 4, 0, -5, 0, 1]], np.int64,
    ),
    np.array([[1, -4, -4, 1, 1, 0], [0, -2, 2, 1, -1, 0], [0, -1, -1, 1, 1, 0], [0, -1, 1, 2, -2, 1]], np.int64),
    (24, 12, 6, 6),
)  # fmt: skip
THREE = Direction(
    (0, 1, 2, 3, 5),
    np.array([[2, -1, -2, 1, 0], [0, -2, -1, 1, 0], [0, 2, -3, 1, 0], [0, -1, 0, 1, 0], [0, 2, -1, -2, 1]], np.int64),
    np.array([[1, -6, -2, 2, 0], [0, -3, 1, 2, 0], [0, -3, -1, 4, 1]], np.int64),
    (12, 6, 6),
)
KINDS = ((FOUR, FOUR), (FOUR, THREE), (THREE, FOUR), (THREE, THREE))
"""Kinds of tiles: down, then to the right."""


def shifts(down: Direction, right: Direction) -> list[int]:
    """Return the bits to shift each pixel's sum down by, once nine is undone."""
    return [(a * b // 9).bit_length() - 1 for a in down.factors for b in right.factors]


INVERSE_OF_NINE = pow(9, -1, 1 << 32)
LARGEST_SUM = 1 << 25
"""Sums from here on are not told from smaller ones."""


def transformed(codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """Return G g G' of OHWI codes (channels, 3, 3, depth): int16 (36, channels, depth)."""
    found: npt.NDArray[np.int64] = np.einsum("ia,jb,oabc->ijoc", WEIGHTS, WEIGHTS, codes.astype(np.int64))
    return found.reshape(POSITIONS, *found.shape[2:]).astype(np.int16)


def fits(codes: npt.NDArray[np.integer]) -> bool:
    """Whether sums of u8 codes times these s8 weights, (channels, 3, 3, depth), stay below `LARGEST_SUM`."""
    for channel in codes:  # one at a time: a copy of all weights would be most of what a small network takes
        highest, lowest = (255 * part.sum(dtype=np.int64) for part in (channel.clip(min=0), channel.clip(max=0)))
        if highest >= LARGEST_SUM or lowest < -LARGEST_SUM:
            return False
    return True
