"""The three transforms of F(4 x 4, 3 x 3) in whole numbers, and when they are exact.

A tile of 6 x 6 codes d and a channel's 3 x 3 weights g give 4 x 4 sums (Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", 2016, equation 8, with the points 0, 1, -1, 2, -2):

    Y = A ((G g G') * (B d B')) A'        36 products a channel in place of 144

G holds sixths and twenty-fourths there. Here its rows are multiplied by 24, or as much less as leaves whole numbers,
and A makes up for it, so that A's four rows give 24, 12, 6 and 6 times the sums (`FACTORS`). Everything is a whole
number: |B d B'| is at most 68 * 255 and |G g G'| at most 49 * 128, so both fit 16 bits, which dot instructions
multiply and add up modulo 2 ** 32. What comes out is 2 ** a * 9 * Y modulo 2 ** 32, with a at most 6. Nine has an
inverse modulo 2 ** 32; multiplied by it, and shifted down by a bits, what is left is Y modulo 2 ** 26: Y itself where
`fits` holds, whatever wrapped around in between.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIDE, OUT, KERNEL = 6, 4, 3
POSITIONS, TAPS = SIDE * SIDE, KERNEL * KERNEL
INPUT = np.array(
    [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
     [0, 4, 0, -5, 0, 1]], np.int64,
)  # fmt: skip
"""B of B d B'."""
WEIGHTS = np.array([[6, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 6]], np.int64)
"""G of G g G', rows multiplied."""
OUTPUT = np.array([[1, -4, -4, 1, 1, 0], [0, -2, 2, 1, -1, 0], [0, -1, -1, 1, 1, 0], [0, -1, 1, 2, -2, 1]], np.int64)
"""A of A m A', rows as they belong to G's."""
FACTORS = (24, 12, 6, 6)
"""What the rows of A m A' are too large, and its columns."""
SHIFTS = tuple(tuple((a * b // 9).bit_length() - 1 for b in FACTORS) for a in FACTORS)
"""Bits to shift down, once nine is undone."""
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
