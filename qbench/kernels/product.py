"""What is multiplied: the codes of both sides of a product, as types; their text is the product's name.

`<lhs>_<rhs>`. lhs: `u8`, `s8`, `s16`, `f32`, `f16`, `b1` (bits), `t2` (trits in two planes), `p<n>` (n planes of bits).
rhs: `s1`..`s8` (two's complement, packed at its width), `s16`, `t4`, `t2`, `t1` (indices into a table of s8 levels),
`f32`, `b1`, `t2`, `p<n>`. Names are literals of compiled kernels and of their images; they are read here and nowhere
else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import padded_channels

BITS_OF_WORD = 32
"""Channels in a word of bits."""
_NAME = re.compile(
    r"([us]8)_(s[1-8]|t[124])|(s16)_(s16)|(f32)_(f32|s[1248])|(f16)_(s4)|(b1)_(b1)|(t2)_(t2)|(p[1-8])_(p[1-8])"
)


@dataclass(frozen=True, slots=True)
class Side:
    """Codes of one side: `kind` is u, s, f, b, t or p as above, `bits` the number behind it."""

    kind: str
    bits: int

    def __str__(self) -> str:
        """Return the side's part of the name."""
        return f"{self.kind}{self.bits}"


@dataclass(frozen=True, slots=True)
class Product:
    """A product's two sides."""

    lhs: Side
    rhs: Side

    def __str__(self) -> str:
        """Return the name, e.g. `u8_s8`."""
        return f"{self.lhs}_{self.rhs}"

    @property
    def is_words(self) -> bool:
        """Whether the lhs is words of bits."""
        return self.lhs.kind in "btp"

    @property
    def is_float(self) -> bool:
        """Whether the lhs is floats."""
        return self.lhs.kind == "f"

    @property
    def is_signed(self) -> bool:
        """Whether the lhs is signed codes, which kernels take as 128 more than they are."""
        return self.lhs.kind == "s"

    @property
    def is_binary(self) -> bool:
        """Whether both sides are bits that stand for -1 and 1, whose depth sums owe (see `tiles.bit_products`)."""
        return self.lhs.kind == "b"

    @property
    def is_ternary(self) -> bool:
        """Whether both sides are -1, 0 and 1 in two planes."""
        return self.lhs.kind == "t"

    @property
    def has_table(self) -> bool:
        """Whether weights are indices into levels."""
        return self.rhs.kind == "t" and not self.is_words

    @property
    def lacks_zero(self) -> bool:
        """Whether no weight stands for 0: what pads a depth must cancel."""
        return self.has_table and self.rhs.bits == 1

    @property
    def lhs_planes(self) -> int:
        """Planes of bits of the lhs, 0 where it is none."""
        return self.lhs.bits if self.lhs.kind == "p" else 0

    @property
    def rhs_planes(self) -> int:
        """Planes of bits of the rhs, 0 where it is none."""
        return self.rhs.bits if self.rhs.kind == "p" else 0

    @property
    def lhs_dtype(self) -> type[np.generic]:
        """The dtype that the lhs buffer is read as."""
        return np.float32 if self.is_float else np.uint32 if self.is_words else np.uint8

    @property
    def words(self) -> int:
        """Words of the lhs that a k-group of one lane takes: a plane of bits each."""
        return 2 if self.is_ternary else self.lhs_planes or 1

    @property
    def numbers(self) -> int:
        """Numbers of the depth in a k-group of one lane."""
        return BITS_OF_WORD if self.is_words else 1 if self.is_float else 4

    def pixel_words(self, channels: int) -> int:
        """Return the elements that a pixel of the lhs takes: channels padded to 16, to 4 for images, or packed bits."""
        if self.is_words:
            return -(-channels // BITS_OF_WORD) * self.words
        return 4 if channels <= 4 and not self.is_float else padded_channels(channels)

    def meant(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return the whole numbers that lhs codes stand for in their container."""
        if self.is_signed:
            return codes.view(np.int8).astype(np.int64)
        if self.is_binary:
            return np.asarray(2 * codes.astype(np.int64) - 1)
        return np.asarray(codes.astype(np.int64) - int(self.is_ternary))


@cache
def parse_product(name: str) -> Product:
    """Return the product of a name such as `u8_s8`; raise ValueError where there is none."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"product '{name}': expected <lhs>_<rhs>, as in u8_s8, u8_t4, b1_b1, t2_t2, p2_p2 or f32_f32")
    lhs, rhs = (Side(side[0], int(side[1:])) for side in name.split("_"))
    return Product(lhs, rhs)


U8_S8, F32_F32 = parse_product("u8_s8"), parse_product("f32_f32")
B1_B1, T2_T2 = parse_product("b1_b1"), parse_product("t2_t2")
