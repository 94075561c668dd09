"""Granularity: which numbers share one scale. `axis` is the axis kept; groups run along the reduction depth."""

from __future__ import annotations

from dataclasses import dataclass

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


Granularity = PerTensor | PerChannel | PerGroup


def parse_granularity(text: str) -> Granularity:
    """Return the granularity of `tensor`, `channel`, `groupN` or the token letters `t`, `c`, `gN`."""
    word = text.strip().lower()
    if word in ("t", "tensor"):
        return PerTensor()
    if word in ("c", "channel"):
        return PerChannel()
    digits = word.removeprefix("group").removeprefix("g")
    if word.startswith("g") and digits.isdigit():
        return PerGroup(int(digits))
    raise QBenchError(f"unknown granularity '{text}': expected tensor, channel or groupN (e.g. group32)")
