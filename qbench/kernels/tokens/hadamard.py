"""The fast Walsh-Hadamard transform of rows of float32 numbers, to float32 numbers or u8 codes.

A block of n numbers takes log2(n) rounds of n / 2 sums and differences, not n^2 products. Every round has the same
shape (Pease 1968): it reads the block's halves in order and writes sums and differences in turns, so each is two loads,
two operations and an interleaved store of whole vectors, whatever the round. After log2(n) rounds numbers stand in
Sylvester's order again. Two rounds are done at once where two are left: the same sums, half the loads and stores.
"""

from __future__ import annotations

from typing import Any

from numba import float32

from qbench.kernels.jit import jit
from qbench.kernels.tokens.functions import code_of


@jit
def _round(source: Any, target: Any, half: int) -> None:
    """Write the sums and differences of a block's halves in turns."""
    left, right = source[:half], source[half:]
    for i in range(half):
        a, b = left[i], right[i]
        target[2 * i] = a + b
        target[2 * i + 1] = a - b


@jit
def _two_rounds(source: Any, target: Any, quarter: int) -> None:
    """Do two rounds at once."""
    first, second = source[:quarter], source[quarter : 2 * quarter]
    third, fourth = source[2 * quarter : 3 * quarter], source[3 * quarter :]
    for i in range(quarter):
        a, b, c, d = first[i], second[i], third[i], fourth[i]
        even, odd, other_even, other_odd = a + c, b + d, a - c, b - d
        target[4 * i] = even + odd
        target[4 * i + 1] = even - odd
        target[4 * i + 2] = other_even + other_odd
        target[4 * i + 3] = other_even - other_odd


@jit
def hadamard_f32(
    begin: int, end: int, x: Any, out: Any, codes: Any, room: Any, sizes: Any, factor: float, numbers: Any, floor: bool
) -> None:  # fmt: skip
    """Write every block of every row, transformed and times `factor`, as float32 or as codes, where not empty.

    `sizes` is (channels, width, block), the block a power of two from 2 on that divides the channels; `room` holds two
    blocks for each unit.
    """
    channels, width, block = sizes
    inverse_scale, offset, high = numbers
    half, at = block // 2, 2 * begin * block
    for row in range(begin, end):
        for start in range(row * width, row * width + channels, block):
            one, other = room[at : at + block], room[at + block : at + 2 * block]
            source = x[start : start + block]
            left = block
            if left & 0x2AAAAAAA:  # an odd number of rounds
                _round(source, one, half)
                source, one, other = one, other, one
                left //= 2
            while left > 1:
                _two_rounds(source, one, block // 4)
                source, one, other = one, other, one
                left //= 4
            if len(out):
                reals = out[start : start + block]
                for i in range(block):
                    reals[i] = source[i] * float32(factor)
            if len(codes):
                bytes_of = codes[start : start + block]
                for i in range(block):
                    bytes_of[i] = code_of(source[i] * float32(factor), inverse_scale, offset, high, floor)
