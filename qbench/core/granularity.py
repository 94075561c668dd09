"""Granularity: which numbers share one scale. `axis` is the axis kept; groups run along the reduction depth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from qbench.errors import QBenchError


@dataclass(frozen=True, slots=True)
class PerTensor:
    """One scale for the whole tensor."""

    @property
    def token(self) -> str:
        """The letter inside a spec's token."""
        return "t"


@dataclass(frozen=True, slots=True)
class PerChannel:
    """One scale an output channel."""

    axis: int = 0

    @property
    def token(self) -> str:
        """The letter inside a spec's token."""
        return "c"


@dataclass(frozen=True, slots=True)
class PerGroup:
    """One scale for every `group_size` numbers of an output channel, in the order of the depth (kh, kw, channel)."""

    group_size: int

    def __post_init__(self) -> None:
        if self.group_size < 16 or self.group_size % 16:
            raise QBenchError(f"PerGroup: group_size must be a positive multiple of 16, got {self.group_size}")

    @property
    def token(self) -> str:
        """The letter and size inside a spec's token."""
        return f"g{self.group_size}"


ScaleFormat = Literal["e8m0", "e4m3", "u6"]
"""How a group's scale is kept in few bits."""
SCALE_LETTERS: Mapping[str, ScaleFormat] = {"x": "e8m0", "v": "e4m3", "k": "u6"}
"""The letter behind a group's size in a token: mx's powers of two, nvfp4's, and 6 bits as k-quants have."""


@dataclass(frozen=True, slots=True)
class ScaledGroup(PerGroup):
    """Groups whose scales are numbers of few bits themselves, under a second level of scales.

    `e8m0`: a power of two, no second level. `e4m3`: an 8-bit float under one float32 scale of the tensor. `u6`: a whole
    number 1..63 under a float32 scale of the channel.
    """

    scales: ScaleFormat

    def __post_init__(self) -> None:
        PerGroup.__post_init__(self)
        if self.scales not in SCALE_LETTERS.values():
            raise QBenchError(f"ScaledGroup: scales must be e8m0, e4m3 or u6, got {self.scales}")

    @property
    def token(self) -> str:
        """The letter, size and letter of the scales inside a spec's token."""
        return f"g{self.group_size}{next(letter for letter, kept in SCALE_LETTERS.items() if kept == self.scales)}"


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Of activations: a scale and zero point from the extremes of what is there, while the network runs.

    Args:
        rows: a scale for every row of channels (a token, a pixel of an image) instead of one for each sample.
    """

    rows: bool = False

    @property
    def token(self) -> str:
        """The letter inside a spec's token."""
        return "r" if self.rows else "d"


def scale_bytes(granularity: Granularity, shape: tuple[int, ...]) -> int:
    """Return the bytes of scales of a shape, (), (channels,) or (channels, groups), every level counted."""
    count = math.prod(shape)
    if not isinstance(granularity, ScaledGroup):
        return 4 * count
    if granularity.scales == "u6":
        return -(-6 * count // 8) + 4 * shape[0]
    return count + (4 if granularity.scales == "e4m3" else 0)


Granularity = PerTensor | PerChannel | PerGroup | ScaledGroup | Dynamic


def parse_granularity(text: str) -> Granularity:
    """Return the granularity of `tensor`, `channel`, `groupN` or the token letters `t`, `c`, `gN`.

    `d` and `r` are dynamic, of activations: a scale for each sample, or for each row of channels. A letter behind N
    says how the groups' scales are kept: `g32x`, `g16v`, `g32k` (see `ScaledGroup`).
    """
    word = text.strip().lower()
    if word in ("t", "tensor"):
        return PerTensor()
    if word in ("d", "r"):
        return Dynamic(rows=word == "r")
    if word in ("c", "channel"):
        return PerChannel()
    digits = word.removeprefix("group").removeprefix("g")
    size, letter = (digits[:-1], digits[-1:]) if digits[-1:] in SCALE_LETTERS else (digits, "")
    if word.startswith("g") and size.isdigit():
        return ScaledGroup(int(size), SCALE_LETTERS[letter]) if letter else PerGroup(int(size))
    raise QBenchError(f"unknown granularity '{text}': expected tensor, channel or groupN (e.g. group32)")
