"""Accumulators narrower than the 32 bits of the kernels: what a suite or a command may ask to be simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qbench.errors import QBenchError

Overflow = Literal["wrap", "saturate"]
MODES: tuple[Overflow, ...] = ("wrap", "saturate")
NARROWEST, WIDEST = 8, 31


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A signed sum of so many bits, and what becomes of it beyond them.

    `wrap` keeps the lowest bits, as machines do; `saturate` stays at the end, after each addition.
    """

    bits: int
    overflow: Overflow

    @property
    def text(self) -> str:
        """The word in suites and keys, `16-wrap`."""
        return f"{self.bits}-{self.overflow}"

    @property
    def largest(self) -> int:
        """The largest sum that it holds."""
        return int((1 << (self.bits - 1)) - 1)


def parse_accumulators(text: str) -> tuple[Accumulator, ...]:
    """Return the accumulators of a word: `16-wrap`, `16-saturate`, or `16` for both; QBenchError for anything else."""
    digits, _, word = text.strip().lower().partition("-")
    if not digits.isdigit() or not NARROWEST <= int(digits) <= WIDEST or word not in ("", *MODES):
        raise QBenchError(
            f"accumulator '{text}': expected {NARROWEST} .. {WIDEST} bits, then -wrap or -saturate for one of the two"
        )
    return tuple(Accumulator(int(digits), mode) for mode in MODES if word in ("", mode))
